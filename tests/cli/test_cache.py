"""chainrule cache: where compiled code is kept, how much there is, and how to be rid of it."""

import os

import pytest

from chainrule.backends.cache import Cache


@pytest.fixture
def code(folder, monkeypatch):
    place = folder / "code"
    monkeypatch.setenv("CHAINRULE_CACHE", str(place))
    return place


def test_a_cache_that_nobody_has_used_is_empty(chainrule, code):
    done = chainrule("cache")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"Compiled code is kept in {code}\n0 entries, 0 bytes of at most 256 MB\n"
    assert not code.exists()


def test_it_tells_how_much_there_is(chainrule, code):
    Cache(code).put("a", b"a" * 5000)
    Cache(code).put("b", b"b" * 100)
    assert chainrule("cache").out.splitlines()[1] == "2 entries, 5.1 kB of at most 256 MB"
    assert chainrule("cache", "--json").document == {
        "folder": str(code),
        "why_not_used": None,
        "entries": 2,
        "bytes": 5132,
        "bytes_at_most": 256_000_000,
    }


def test_clear_removes_it(chainrule, code):
    Cache(code).put("a", b"a")
    done = chainrule("cache", "--clear")
    assert done.out.splitlines()[1] == "1 entry removed."
    again = chainrule("cache", "--clear", "--json").document
    assert (again["removed"], again["entries"], again["bytes"]) == (0, 0, 0)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_it_says_why_a_folder_is_not_used(chainrule, code):
    code.mkdir()
    code.chmod(0o777)
    assert "It is not used: others may write into it." in chainrule("cache").out
    assert chainrule("cache", "--json").document["why_not_used"] == "others may write into it"


def test_a_cache_that_is_off_says_so(chainrule, folder, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    assert chainrule("cache").out.startswith("Compiled code is not kept: CHAINRULE_CACHE is off")
    assert chainrule("cache", "--json").document["folder"] is None


def test_without_a_variable_it_is_in_the_users_cache(chainrule, folder, monkeypatch):
    monkeypatch.delenv("CHAINRULE_CACHE")
    shown = chainrule("cache", "--json").document["folder"]
    assert shown == str(folder / "no-cache" / "chainrule" / "code")


def test_what_cannot_be_removed_is_named(chainrule, code, monkeypatch):
    Cache(code).put("a", b"a")
    (entry,) = Cache(code).entries()

    def refuse(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "unlink", refuse)
    done = chainrule("cache", "--clear")
    assert (done.status, done.out) == (2, "")
    assert done.err == f"chainrule: {entry.path}: Permission denied.\n"
