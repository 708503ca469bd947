"""How much memory there is to be had: what the system says, and what a container may have of it."""

import os

import pytest

from chainrule.base import memory
from chainrule.base.memory import available_memory
from chainrule.base.sizes import format_bytes

GIGABYTE = 2**30


@pytest.fixture
def system(monkeypatch, tmp_path):
    """A system of files that say what a test wants."""
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


MEMINFO = """MemTotal:       24684000 kB
MemFree:          999999 kB
MemAvailable:    8388608 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
"""


def test_free_memory_and_swap_can_be_had(system):
    system("proc/meminfo", MEMINFO)
    assert available_memory() == 9 * GIGABYTE


@pytest.mark.parametrize(
    ("group", "limited"), [("", ""), ("user/mine", "user/mine"), ("user/mine", "user")]
)
def test_a_container_has_what_its_limit_leaves(system, group, limited):
    system("proc/meminfo", MEMINFO)
    system("proc/self/cgroup", f"0::/{group}\n")
    system(f"sys/fs/cgroup/{group}/memory.max", "max\n")
    system(f"sys/fs/cgroup/{limited}/memory.max", f"{4 * GIGABYTE}\n")
    system(f"sys/fs/cgroup/{limited}/memory.current", f"{3 * GIGABYTE}\n")
    system(f"sys/fs/cgroup/{limited}/memory.stat", f"anon 5\ninactive_file {GIGABYTE // 2}\n")
    assert available_memory() == GIGABYTE * 3 // 2


def test_a_group_without_a_limit_changes_nothing(system):
    system("proc/meminfo", MEMINFO)
    system("proc/self/cgroup", "0::/\n")
    system("sys/fs/cgroup/memory.max", "max\n")
    system("sys/fs/cgroup/memory.current", "5\n")
    system("sys/fs/cgroup/memory.stat", "")
    assert available_memory() == 9 * GIGABYTE


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="POSIX")
def test_elsewhere_it_is_all_of_the_machines(system):
    assert available_memory() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_where_nobody_tells_it_is_not_known(system, monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert available_memory() is None


def test_this_machine_has_some():
    assert (available_memory() or GIGABYTE) > 2**20


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"), (1000, "1.0 kB"), (99_940, "99.9 kB"), (99_960, "100 kB"),
        (999_499, "999 kB"), (999_500, "1.0 MB"), (1_500_000_000, "1.5 GB"),
    ],
)  # fmt: skip
def test_sizes_are_written_with_three_digits(count, text):
    assert format_bytes(count) == text
