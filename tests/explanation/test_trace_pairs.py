"""The two files of a trace belong together, whoever else saves to the same path meanwhile."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.files import read_tensors
from chainrule.explanation.capturing import beside as pairs


def explain(seed=0, wide=40):
    x = np.random.default_rng(0).normal(size=(8, 64))
    net = nn.Sequential(nn.Linear(64, wide), nn.Tanh(), nn.Linear(wide, 1)).initialize(seed)
    return cr.explain(net, x, np.ones((8, 1)))


@pytest.fixture(scope="module")
def traces():
    return [explain(seed) for seed in range(3)]


def arrays(folder):
    return sorted(path.name for path in folder.glob("*.safetensors"))


def named(path):
    return json.loads(path.read_text())["beside"]["file"]


def test_the_json_names_its_arrays_and_what_it_no_longer_names_is_removed(traces, tmp_path):
    path = tmp_path / "step.json"
    for trace in traces:
        trace.save(path)
        assert arrays(tmp_path) == [named(path)]
        assert cr.load_trace(path) == trace


def test_the_same_trace_has_the_same_files(traces, tmp_path):
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        traces[0].save(folder / "step.json")
        contents.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert contents[0] == contents[1]
    traces[0].save(tmp_path / "a" / "step.json")
    assert arrays(tmp_path / "a") == arrays(tmp_path / "b")


def test_a_trace_without_large_values_leaves_no_arrays_of_the_one_before(tmp_path):
    explain().save(tmp_path / "step.json")
    net = nn.Sequential(nn.Linear(2, 1)).initialize(0)
    cr.explain(net, np.ones((2, 2)), np.ones((2, 1))).save(tmp_path / "step.json")
    assert arrays(tmp_path) == []
    assert "beside" not in json.loads((tmp_path / "step.json").read_text())


def test_files_of_others_are_left_alone(traces, tmp_path):
    cr.save(nn.Linear(2, 2), tmp_path / "step.safetensors")
    cr.save(nn.Linear(2, 2), tmp_path / "step.0123456789abcdef.safetensors")
    (tmp_path / "step.fedcba9876543210.safetensors").write_bytes(b"no such file")
    traces[0].save(tmp_path / "step.step.json")
    traces[0].save(tmp_path / "other.json")
    before = set(arrays(tmp_path))
    for trace in traces:
        trace.save(tmp_path / "step.json")
    assert set(arrays(tmp_path)) == before | {named(tmp_path / "step.json")}
    assert list(read_tensors(tmp_path / "step.safetensors")[0]) == ["bias", "weight"]


def as_of_before(path):
    """A trace as earlier versions named its arrays."""
    content = json.loads(path.read_text())
    path.with_name(content["beside"]["file"]).rename(path.with_suffix(".safetensors"))
    content["beside"]["file"] = path.with_suffix(".safetensors").name
    path.write_text(json.dumps(content))


def test_files_of_earlier_versions_are_read_and_replaced(traces, tmp_path):
    path = tmp_path / "step.json"
    traces[0].save(path)
    as_of_before(path)
    assert arrays(tmp_path) == ["step.safetensors"]
    again = cr.load_trace(path)
    assert again == traces[0]
    assert not again.is_altered
    again.save(path)
    assert arrays(tmp_path) == [named(path)] != ["step.safetensors"]
    assert cr.load_trace(path) == traces[0]


def test_an_altered_trace_does_not_take_the_name_of_what_it_was(traces, tmp_path):
    path = tmp_path / "step.json"
    traces[0].save(path)
    trace = cr.load_trace(path)
    first = named(path)
    values = [value + 1 if value.nbytes > 4096 else value for value in trace.values]
    altered = type(trace)(trace.graph, tuple(values), trace.about, trace.names, trace.stored)
    altered.save(path)
    assert named(path) != first
    assert cr.load_trace(path).is_altered


def test_a_trace_is_whole_whenever_it_is_read_while_several_save_to_one_path(traces, tmp_path):
    path = tmp_path / "step.json"
    traces[0].save(path)
    failures, is_done = [], threading.Event()

    def save(number):
        try:
            for turn in range(15):
                traces[(number + turn) % len(traces)].save(path)
        except Exception as error:
            failures.append(error)

    def read():
        try:
            while not is_done.is_set():
                found = cr.load_trace(path)
                if not any(found == trace for trace in traces):
                    failures.append(found)
        except Exception as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    savers = [threading.Thread(target=save, args=(number,)) for number in range(3)]
    for thread in (reader, *savers):
        thread.start()
    for thread in savers:
        thread.join()
    is_done.set()
    reader.join()
    assert failures == []
    assert any(cr.load_trace(path) == trace for trace in traces)
    traces[0].save(path)
    assert arrays(tmp_path) == [named(path)]
    assert [file for file in tmp_path.iterdir() if file.suffix == ".tmp"] == []


def test_arrays_that_were_removed_before_the_json_named_them_are_written_again(
    traces, tmp_path, monkeypatch
):
    """Another process saw them while no JSON named them yet."""
    path = tmp_path / "step.json"

    def replaced_late(target, content):
        for file in tmp_path.glob("*.safetensors"):
            file.unlink()
        target.write_bytes(content)

    monkeypatch.setattr(pairs, "write_durably", replaced_late)
    traces[0].save(path)
    assert cr.load_trace(path) == traces[0]


def test_arrays_that_the_json_names_by_now_are_put_back(traces, tmp_path, monkeypatch):
    """Between the look at the JSON and the removal another process saved the same again."""
    path = tmp_path / "step.json"
    traces[0].save(path)
    first, text = named(path), path.read_bytes()
    answers = iter([None, "another", first])  # before saving; before removing; having set aside
    monkeypatch.setattr(pairs, "named_in", lambda target: next(answers))
    traces[1].save(path)
    path.write_bytes(text)
    assert first in arrays(tmp_path)
    assert cr.load_trace(path) == traces[0]
