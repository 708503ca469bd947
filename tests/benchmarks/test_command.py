"""``python -m benchmarks``, in this process."""

import json

import pytest

from benchmarks.__main__ import run


def test_a_race_becomes_a_table_and_a_file(tmp_path, capsys):
    file = tmp_path / "found.json"
    run(work=("w1",), against=("numpy",), rounds=2, quick=True, threads=1, to=file)
    printed = capsys.readouterr().out
    assert "first step, full cache" in printed
    assert "targets met" in printed
    found = json.loads(file.read_text("utf-8"))
    by_name = {row["what"]: row for row in found["rows"]}
    assert len(by_name["numpy"]["rounds"]) == 2
    assert by_name["numpy"]["deviations"]["4"] <= 4e-12
    assert by_name["best of jax"]["met"] is None
    assert found["settings"]["rounds"] == 2
    assert found["machine"]["features"]


def test_what_is_unknown_is_refused():
    with pytest.raises(SystemExit, match=r"^There is no w99; there are w1, w2, w3"):
        run(work=("w99",))
