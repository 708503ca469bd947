"""A trace in a file: equal when it is read again, refused where it is none, shown as altered."""

from __future__ import annotations

import json
import random
from base64 import b64decode, b64encode
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, FileFormatError
from chainrule.base.files import read_tensors, write_tensors
from chainrule.explanation.capturing.seal import ABOUT, GRAPH
from tests.explanation.traces import explain_worked


@pytest.fixture
def worked(worked_on_each):
    """The first step of the 2-2-2 network, from each backend."""
    return worked_on_each


@pytest.fixture
def saved(worked, tmp_path):
    """The worked example's trace in a file."""
    path = tmp_path / "step.json"
    worked.save(path)
    return path


def explain_wide(backend="native"):
    """A step with arrays that do not stand in the JSON."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 3))
    x, y = rng.normal(size=(8, 64)), rng.integers(0, 3, 8)
    options = {"loss": "CrossEntropyLoss", "optimizer": optim.Adam(lr=0.01), "backend": backend}
    return cr.explain(net, x, y, **options)


def beside(path):
    """The file that a trace's JSON names for its arrays."""
    return path.with_name(json.loads(path.read_text())["beside"]["file"])


def edit(path, change):
    """Change what a trace file says."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def changed_number(data, by=1.0, dtype="<f8"):
    array = np.frombuffer(b64decode(data), dtype).copy()
    array[0] += by
    return b64encode(array.tobytes()).decode()


def test_a_trace_that_is_read_again_is_equal(worked, saved):
    again = cr.load_trace(saved)
    assert again == worked
    assert not again.is_altered
    assert again.notice == ""


def test_explanations_of_a_read_trace_are_the_same(worked, saved):
    again = cr.load_trace(saved)
    first, second = worked["w5"].gradient, again["w5"].gradient
    assert (first.value, first.what, str(first.symbol)) == (
        second.value,
        second.what,
        str(second.symbol),
    )
    assert [proof.statement for proof in first.proofs] == [p.statement for p in second.proofs]


def test_the_users_lines_are_read_again(worked, saved):
    again = cr.load_trace(saved)
    assert [node.source for node in again.graph.nodes] == [n.source for n in worked.graph.nodes]


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_large_arrays_stand_beside_the_json(tmp_path, backend):
    trace = explain_wide(backend)
    trace.save(tmp_path / "step.json")
    tensors, _ = read_tensors(beside(tmp_path / "step.json"))
    large = [v for v in trace.values if v.nbytes > 4096]
    assert len(tensors) == len(large) > 0
    again = cr.load_trace(tmp_path / "step.json")
    assert again == trace
    assert not again.is_altered


def test_a_small_trace_is_one_file(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["step.json"]


def test_equal_traces_are_equal_files(worked, saved, tmp_path):
    worked.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == saved.read_bytes()


def test_numbers_that_are_none_survive(worked, tmp_path):
    position = worked.find("net_h1").node
    odd = np.array([[np.nan, -np.inf]])
    values = list(worked.values)
    values[position] = odd
    about = replace(worked.about, learning_rate=float("inf"))
    trace = replace(worked, values=tuple(values), about=about)
    trace.save(tmp_path / "odd.json")
    again = cr.load_trace(tmp_path / "odd.json")
    assert again.values[position].tobytes() == odd.tobytes()
    assert again.about.learning_rate == float("inf")


def test_a_read_trace_cannot_be_written_in(saved):
    assert not any(value.flags.writeable for value in cr.load_trace(saved).values)


# --- altered ---------------------------------------------------------------------------------


def test_an_edited_number_is_shown(saved):
    def change(content):
        value = content["values"]["0.weight"]
        value["data"] = changed_number(value["data"])

    again = cr.load_trace(edit(saved, change))
    assert again.altered == ("0.weight",)
    assert again.is_altered
    assert again.notice == (
        "This trace was altered after it was captured. What does not agree: 0.weight"
    )


def test_an_edited_number_whose_hash_was_edited_too_is_not_what_its_operands_give(
    worked, saved, tmp_path
):
    position = worked.graph.find("loss")
    values = list(worked.values)
    values[position] = np.asarray(values[position] + 1e-9)
    replace(worked, values=tuple(values)).save(tmp_path / "forged.json")
    again = cr.load_trace(tmp_path / "forged.json")
    assert again.altered == ("loss",)


def test_no_number_of_a_textbooks_network_is_forged_alone(worked, tmp_path):
    for position, node in enumerate(worked.graph.nodes):
        if node.op == "input" or not node.dtype.is_float:
            continue
        values = list(worked.values)
        values[position] = np.asarray(values[position] + 0.1)
        replace(worked, values=tuple(values)).save(tmp_path / "forged.json")
        found = cr.load_trace(tmp_path / "forged.json").altered
        assert worked.graph.name_of(position) in found, worked.graph.name_of(position)


def test_an_altered_trace_that_is_saved_again_stays_altered(saved, tmp_path):
    def change(content):
        value = content["values"]["0.weight"]
        value["data"] = changed_number(value["data"])

    cr.load_trace(edit(saved, change)).save(tmp_path / "again.json")
    again = cr.load_trace(tmp_path / "again.json")
    assert again.altered == ("0.weight",)
    again.save(tmp_path / "again.json")
    assert cr.load_trace(tmp_path / "again.json").altered == ("0.weight",)


def test_an_edited_graph_is_shown(saved):
    text = saved.read_text()
    content = json.loads(text)
    content["graph"] = [line.replace("value=0.5", "value=0.25") for line in content["graph"]]
    assert content["graph"] != json.loads(text)["graph"]
    saved.write_text(json.dumps(content))
    assert cr.load_trace(saved).altered[0] == GRAPH


@pytest.mark.parametrize(
    ("field", "value"), [("step", 7), ("learning_rate", 0.25), ("network", "Sequential()")]
)
def test_an_edited_description_is_shown(saved, field, value):
    again = cr.load_trace(edit(saved, lambda content: content["about"].update({field: value})))
    assert again.altered == (ABOUT,)


def test_an_edited_array_beside_the_json_is_shown(tmp_path):
    explain_wide().save(tmp_path / "step.json")
    file = beside(tmp_path / "step.json")
    tensors, metadata = read_tensors(file)
    tensors["value 0.weight"][3, 4] += 1
    write_tensors(file, tensors, metadata)
    assert cr.load_trace(tmp_path / "step.json").altered == ("0.weight",)


def test_a_trace_by_another_version_is_held_to_its_hashes_alone(worked, tmp_path):
    versions = {**worked.about.versions, "chainrule": "0.0.1"}
    position = worked.graph.find("loss")
    values = list(worked.values)
    values[position] = np.asarray(values[position] + 1e-9)
    about = replace(worked.about, versions=versions)
    replace(worked, values=tuple(values), about=about).save(tmp_path / "old.json")
    assert not cr.load_trace(tmp_path / "old.json").is_altered


# --- refused ---------------------------------------------------------------------------------


def refusal(path):
    with pytest.raises(FileFormatError) as caught:
        cr.load_trace(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_a_newer_format_says_what_to_do(saved):
    edit(saved, lambda content: content.update(version=2, more=[]))
    assert refusal(saved) == (
        "step.json has version 2 of the trace format; this chainrule reads version 1. Upgrade "
        "chainrule, or read the trace with the version that saved it."
    )


@pytest.mark.parametrize("version", [None, "1", 1.5])
def test_a_version_that_is_none_is_named(saved, version):
    edit(saved, lambda content: content.update(version=version))
    assert refusal(saved).startswith(
        f"step.json does not say which version of the trace format it has: {version!r}."
    )


def test_another_file_says_so(tmp_path):
    path = tmp_path / "step.json"
    path.write_text('{"format": "chainrule-run-2"}')
    assert refusal(path) == (
        "step.json is no trace: its format is 'chainrule-run-2', not \"chainrule-trace\". Traces "
        "are written by trace.save(path)."
    )


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b'"x"', b"null"])
def test_what_is_no_json_object_is_refused(tmp_path, text):
    path = tmp_path / "step.json"
    path.write_bytes(text)
    assert "step.json cannot be read as a trace" in refusal(path)


def test_a_file_cut_anywhere_is_refused(saved):
    text = saved.read_bytes().rstrip()
    for end in range(0, len(text), max(len(text) // 60, 1)):
        saved.write_bytes(text[:end])
        refusal(saved)


def test_whatever_is_changed_in_a_file_is_refused_or_read(worked, saved):
    text = saved.read_text()
    draw = random.Random(0)
    read = 0
    for _ in range(300):
        place, gone = draw.randrange(len(text)), draw.randrange(3)
        put = draw.choice(["", "[", "{", '"', "null", "9" * 30, chr(draw.randrange(32, 127))])
        saved.write_text(text[:place] + put + text[place + gone :])
        try:
            found = cr.load_trace(saved)
        except FileFormatError:
            continue
        read += 1
        assert found == worked or found.is_altered
    assert read


CHANGES = {
    "no values": (
        lambda c: c.pop("values"),
        "step.json cannot be read as a trace: Object missing required field `values`.",
    ),
    "an unknown field": (
        lambda c: c.update(run="rm"),
        "step.json cannot be read as a trace: Object contains unknown field `run`.",
    ),
    "an unknown fact": (
        lambda c: c["about"].update(run="rm"),
        "step.json cannot be read as a trace: Object contains unknown field `run` - at `$.about`.",
    ),
    "a text for a number": (
        lambda c: c["about"].update(step="7"),
        "step.json cannot be read as a trace: Expected `int`, got `str` - at `$.about.step`.",
    ),
    "a learning rate that is none": (
        lambda c: c["about"].update(learning_rate="fast"),
        "step.json has the learning rate 'fast'.",
    ),
    "a missing value": (
        lambda c: c["values"].pop("loss"),
        "step.json holds no value of loss.",
    ),
    "a value of nothing": (
        lambda c: c["values"].update({"lose": c["values"]["loss"]}),
        "step.json holds a value of lose, which the graph has not.",
    ),
    "too few bytes": (
        lambda c: c["values"]["0.weight"].update(data=c["values"]["loss"]["data"]),
        "It has 8 bytes, and f64[2,2] has 32. Value 0.weight of step.json.",
    ),
    "another dtype": (
        lambda c: c["values"]["0.weight"].update(type="f32[2,2]"),
        "It is f32[2,2], and the graph says f64[2,2]. Value 0.weight of step.json.",
    ),
    "no data": (
        lambda c: c["values"]["0.weight"].pop("data"),
        "Its numbers are in no file. Value 0.weight of step.json.",
    ),
    "a huge shape": (
        lambda c: (
            c.update(graph=[g.replace("f64[2,2]", "f64[99999999,99999999]") for g in c["graph"]]),
            c["values"]["0.weight"].update(type="f64[99999999,99999999]"),
        ),
        None,
    ),
    "an unknown op": (
        lambda c: c.update(graph=[g.replace("= sigmoid(", "= os.system(") for g in c["graph"]]),
        'step.json holds no graph of this version\'s ops: No op is named "os.system".',
    ),
    "a wrong type": (
        lambda c: c.update(graph=[g.replace("loss: f64[]", "loss: f32[]") for g in c["graph"]]),
        "step.json holds no graph of this version's ops: ",
    ),
    "no graph": (
        lambda c: c.update(graph=[]),
        "step.json holds no graph of this version's ops: expected 'graph name(inputs) -> types'",
    ),
    "brackets without end": (
        lambda c: c.update(graph=[g.replace("over=", "over=" + "[" * 99_999) for g in c["graph"]]),
        "step.json holds no graph of this version's ops: ",
    ),
    "a number without end": (
        lambda c: c.update(graph=[g.replace("[2,2]", "[" + "9" * 9999) for g in c["graph"]]),
        "step.json holds no graph of this version's ops: ",
    ),
    "a name of nothing": (
        lambda c: c["names"].update(w99=["9.weight[0, 0]"]),
        "step.json names a number that is not there: ",
    ),
    "a name outside of its array": (
        lambda c: c["names"].update(w99=["0.weight[5, 0]"]),
        "step.json names a number that is not there: ",
    ),
    "arrays in another folder": (
        lambda c: c.update(beside={"file": "../other.safetensors", "hash": ""}),
        "step.json keeps its arrays in '../other.safetensors', which is no name.",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_is_refused_with_its_place(saved, change):
    how, message = CHANGES[change]
    said = refusal(edit(saved, how))
    assert message is None or said.startswith(message)


def test_a_missing_file_beside_it_is_named(tmp_path):
    explain_wide().save(tmp_path / "step.json")
    file = beside(tmp_path / "step.json")
    file.unlink()
    assert refusal(tmp_path / "step.json").endswith(
        f"of its values in {file.name}, and that is not beside it. Copy both files of a trace."
    )


def test_the_file_of_another_trace_beside_it_is_refused(tmp_path):
    explain_wide("native").save(tmp_path / "a.json")
    other = explain_wide("numpy")
    other.save(tmp_path / "b.json")
    file = beside(tmp_path / "a.json")
    beside(tmp_path / "b.json").replace(file)
    assert refusal(tmp_path / "a.json") == (
        f"{file.name} is not the file that a.json was saved with. Copy both files of a trace, or "
        "save the trace again."
    )


def test_arrays_of_other_shapes_beside_it_are_refused(tmp_path):
    explain_wide().save(tmp_path / "step.json")
    file = beside(tmp_path / "step.json")
    tensors, metadata = read_tensors(file)
    tensors["value 0.weight"] = tensors["value 0.weight"].T
    write_tensors(file, tensors, metadata)
    assert refusal(tmp_path / "step.json") == (
        "Beside it is float32 of shape [64, 40], and the graph says f32[40,64]. Value 0.weight of "
        "step.json."
    )


def test_only_json_is_written(worked, tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        worked.save(tmp_path / "step.html")
    assert str(caught.value) == (
        f"A trace is written as .json; got {tmp_path}/step.html. Name it {tmp_path}/step.json."
    )


def test_a_trace_that_cannot_be_written_leaves_the_old_one(worked, saved):
    before = saved.read_bytes()
    with pytest.raises(OSError, match="There is no folder"):
        explain_worked().save(saved.parent / "nowhere" / "step.json")
    assert saved.read_bytes() == before
