"""A file is replaced whole or not at all; a line is appended whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base.errors import ConfigurationError, FileFormatError
from chainrule.base.files import append_line, read_lines, write_durably


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    write_durably(path, b"old")
    write_durably(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_durably(tmp_path / "m.bin", b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "m.bin") == 0o640


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"old")
    path.chmod(0o604)
    write_durably(path, b"new")
    assert mode(path) == 0o604


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(folder / "real")
    write_durably(link, b"new")
    assert link.is_symlink()
    assert (folder / "real").read_bytes() == b"new"


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, call: str
) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"old")

    def fail(*_: object) -> int:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(type(failure)) as caught:
            write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    if isinstance(caught.value, OSError):
        assert str(caught.value) == f"[Errno {errno.ENOSPC}] disk full: '{path}'"


def test_a_missing_folder_is_told_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "none" / "m.bin"
    with pytest.raises(FileNotFoundError) as caught:
        write_durably(path, b"x")
    assert str(caught.value) == (
        f"There is no folder {path.parent} to write m.bin in. Make the folder first, or name one "
        "that exists."
    )
    assert not path.parent.exists()


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        write_durably(tmp_path, b"x")
    assert str(caught.value) == f"{tmp_path} is a folder. Name a file to write, in it or elsewhere."


def test_a_file_is_no_folder_to_write_in(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ConfigurationError) as caught:
        write_durably(tmp_path / "a.txt" / "b" / "m.bin", b"x")
    assert str(caught.value) == (
        f"m.bin cannot be written in {tmp_path}/a.txt/b: {tmp_path}/a.txt is a file. Name a folder "
        "that exists."
    )
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_write_that_the_system_takes_in_pieces_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: write(fd, content[:3]))
    write_durably(tmp_path / "m.bin", b"0123456789")
    assert (tmp_path / "m.bin").read_bytes() == b"0123456789"


def test_file_and_folder_are_forced_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("fsync folder" if is_folder else "fsync file")
        fsync(descriptor)

    def watched_replace(source: str, target: str) -> None:
        events.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_durably(tmp_path / "m.bin", b"x")
    assert events == ["fsync file", "replace", "fsync folder"]


line_text = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))


@given(lines=st.lists(line_text, max_size=5), torn=line_text)
def test_appended_lines_are_read_back_without_what_a_crash_tore(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], torn: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / "history.jsonl"
    path.touch()
    for line in lines:
        append_line(path, line)
    with path.open("ab") as file:
        file.write(torn.encode())
    assert read_lines(path) == lines
    append_line(path, "next")
    assert read_lines(path) == [*lines, "next"]
    assert path.read_bytes() == "".join(f"{line}\n" for line in [*lines, "next"]).encode()


def test_a_torn_line_longer_than_one_block_is_cut_away(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"first\n" + b"x" * 10_000)
    append_line(path, "second")
    assert read_lines(path) == ["first", "second"]


def test_a_failed_append_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.jsonl"
    append_line(path, "first")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            append_line(path, "second")
    assert path.read_bytes() == b"first\n"


@pytest.mark.parametrize("text", ["a\nb", "a\r"])
def test_one_line_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^One line was expected, but the text holds a line break"
    ):
        append_line(tmp_path / "history.jsonl", text)
    assert not (tmp_path / "history.jsonl").exists()


def test_lines_are_text(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"ok\n\xff\n")
    with pytest.raises(FileFormatError) as caught:
        read_lines(path)
    assert str(caught.value) == f"{path} is not UTF-8 text: byte 3 cannot be decoded."
