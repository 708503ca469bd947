"""Where the user's cache is: what systems agree on, unless a variable says otherwise."""

from pathlib import Path

import pytest

from chainrule.base import places
from chainrule.base.places import code_cache, user_cache


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "CHAINRULE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".cache"),
        ("freebsd14", ".cache"),
        ("darwin", "Library/Caches"),
        ("win32", "AppData/Local"),
    ],
)
def test_each_system_has_a_folder_for_it(monkeypatch, home, platform, folder):
    monkeypatch.setattr(places.sys, "platform", platform)
    assert user_cache() == home / folder / "chainrule"
    assert code_cache() == home / folder / "chainrule" / "code"


def test_windows_says_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(places.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert user_cache() == tmp_path / "local" / "chainrule"


def test_xdg_comes_first_if_it_is_absolute(monkeypatch, home):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert user_cache() == home / "xdg" / "chainrule"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache() == home / ".cache" / "chainrule"


def test_a_variable_names_the_folder_of_code_or_turns_it_off(monkeypatch, home):
    monkeypatch.setenv("CHAINRULE_CACHE", "~/mine")
    assert code_cache() == home / "mine"
    monkeypatch.setenv("CHAINRULE_CACHE", "here")
    assert code_cache() == Path.cwd() / "here"
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    assert code_cache() == home / ".cache" / "chainrule" / "code"
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    assert code_cache() is None


def test_who_has_no_home_has_no_cache(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(places.Path, "home", nobody)
    monkeypatch.setattr(places.sys, "platform", "linux")
    assert code_cache() is None
