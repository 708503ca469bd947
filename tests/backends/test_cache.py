"""The folder of machine code: whole entries or none, never too many, and never in the way."""

import errno
import os
import subprocess
import sys
import time

import pytest

from chainrule.backends.cache import Cache
from chainrule.base import files
from chainrule.base.files import LEFT_BEHIND

KEY = "0123abcd"


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "made" / "code")


def path_of(cache, key=KEY):
    (path,) = (entry.path for entry in cache.entries() if entry.path.stem == key)
    return path


def test_what_was_put_is_got_by_any_cache_of_the_folder(cache):
    assert cache.get(KEY) is None
    cache.put(KEY, b"code")
    assert cache.get(KEY) == Cache(cache.folder).get(KEY) == b"code"
    assert cache.get("another") is None
    cache.put(KEY, b"other code")
    assert cache.get(KEY) == b"other code"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:10],
        lambda content: content + b"\0",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: bytes([content[0] ^ 1]) + content[1:],
    ],
    ids=[
        "empty",
        "cut short",
        "cut in the checksum",
        "longer",
        "a bit at the end",
        "a bit at first",
    ],
)
def test_a_damaged_entry_is_none_and_is_replaced(cache, damage):
    cache.put(KEY, b"a" * 100)
    path = path_of(cache)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get(KEY) is None
    cache.put(KEY, b"a" * 100)
    assert cache.get(KEY) == b"a" * 100


def test_an_entry_under_the_name_of_another_is_none(cache):
    cache.put(KEY, b"code")
    path_of(cache).rename(cache.folder / f"ffff{path_of(cache).suffix}")
    assert cache.get("ffff") is None


def test_those_go_that_were_used_the_longest_time_ago(tmp_path):
    cache = Cache(tmp_path, bytes_at_most=5 * 116)
    for i in range(5):
        cache.put(f"key{i}", b"a" * 100)  # and 16 of the checksum
        os.utime(path_of(cache, f"key{i}"), (1000 + i, 1000 + i))
    assert cache.get("key0") is not None  # it is the last one used, now
    cache.put("key5", b"a" * 100)
    cache.put("key6", b"a" * 100)
    assert sorted(entry.path.stem for entry in cache.entries()) == [
        "key0", "key3", "key4", "key5", "key6",
    ]  # fmt: skip
    assert sum(entry.size for entry in cache.entries()) <= cache.bytes_at_most


def test_what_is_larger_than_the_cache_is_not_kept(tmp_path):
    cache = Cache(tmp_path, bytes_at_most=100)
    cache.put("small", b"a" * 10)
    cache.put(KEY, b"a" * 100)
    assert cache.get(KEY) is None
    assert cache.get("small") is not None
    (tmp_path / path_of(cache, "small").name).write_bytes(b"a" * 1000)
    assert cache.get("small") is None  # nor read


def test_clear_removes_the_entries_and_nothing_else(cache):
    assert cache.clear() == 0
    cache.put("a", b"1")
    cache.put("b", b"2")
    (cache.folder / "mine.txt").write_text("mine")
    (cache.folder / LEFT_BEHIND.replace("*", "1")).write_text("half")
    assert cache.clear() == 2
    assert cache.entries() == []
    assert [path.name for path in cache.folder.iterdir()] == ["mine.txt"]


def test_files_of_a_killed_process_go_after_a_while(cache):
    cache.put("a", b"1")
    old, new = (cache.folder / LEFT_BEHIND.replace("*", name) for name in ("old", "new"))
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.put("b", b"2")
    assert new.exists()
    assert not old.exists()


def test_the_folder_is_the_users_alone(cache):
    cache.put(KEY, b"code")
    assert cache.refusal is None
    if os.name == "posix":
        assert cache.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_code_that_others_may_have_put_there_is_not_run(cache, mode):
    cache.put(KEY, b"code")
    cache.folder.chmod(mode)
    assert cache.refusal == "others may write into it"
    assert cache.get(KEY) is None
    cache.put("b", b"2")
    assert len(cache.entries()) == 1


@pytest.mark.skipif(os.name != "posix", reason="owners of POSIX")
def test_code_of_another_user_is_not_run(cache, monkeypatch):
    cache.put(KEY, b"code")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert cache.refusal == "it is another user's"
    assert cache.get(KEY) is None


def test_a_file_in_the_place_of_the_folder_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "code"):
        cache = Cache(folder)
        cache.put(KEY, b"code")
        assert cache.get(KEY) is None
        assert cache.entries() == []


def test_a_folder_that_cannot_be_written_is_read_all_the_same(cache, monkeypatch):
    cache.put(KEY, b"code")

    def refuse(*arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    # Tests may run as root, whom permissions do not stop.
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(os, "mkdir", refuse)
    cache.put("b", b"2")
    monkeypatch.undo()
    assert cache.get(KEY) == b"code"
    assert [entry.path.stem for entry in cache.entries()] == [KEY]


def test_a_home_that_cannot_be_made_is_no_cache(cache, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    cache.put(KEY, b"code")
    assert cache.get(KEY) is None


@pytest.mark.parametrize("written", [0, 5])
def test_a_full_disk_leaves_no_half_entry(cache, monkeypatch, written):
    cache.put("a", b"1")
    write = os.write

    def fail(descriptor, data):
        write(descriptor, bytes(data[:written]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "write", fail)
    cache.put(KEY, b"code")
    monkeypatch.undo()
    assert cache.get(KEY) is None
    assert [path.stem for path in cache.folder.iterdir()] == ["a"]


MANY = """
import sys, time
from pathlib import Path
from chainrule.backends.cache import Cache

cache, number = Cache(Path(sys.argv[1]), bytes_at_most=40_000), int(sys.argv[2])
sys.stdin.readline()
for i in range(300):
    key = f"key{(i * 7 + number) % 23}"
    found = cache.get(key)
    assert found is None or found == key.encode() * 500, key
    if found is None or i % 5 == 0:
        cache.put(key, key.encode() * 500)
"""


def test_many_processes_read_write_and_evict_at_once(tmp_path):
    folder = tmp_path / "code"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, str(folder), str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    cache = Cache(folder, bytes_at_most=40_000)
    assert cache.entries()
    assert sum(entry.size for entry in cache.entries()) <= 40_000
    assert not list(folder.glob(LEFT_BEHIND))
    for entry in cache.entries():
        assert cache.get(entry.path.stem) == entry.path.stem.encode() * 500
