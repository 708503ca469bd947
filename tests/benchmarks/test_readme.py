"""The README names all there is to choose."""

from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import PARTS
from benchmarks.contenders import CONTENDERS

README = Path(benchmarks.__file__).with_name("README.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*PARTS, *CONTENDERS])
def test_every_part_and_contender_has_its_line(name):
    assert f"\n| {name} | " in README
