"""The file itself: what it holds, and that nothing in it can do harm."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError
from chainrule.explanation.page import proved
from chainrule.explanation.page.document import document_of
from chainrule.explanation.page.proved import numbers_to_prove
from tests.explanation.traces import explain_worked


@pytest.fixture(scope="module")
def document():
    return document_of(explain_worked())


def content_in(document):
    found = re.findall(r'<script type="application/json" id="content">(.*?)</script>', document)
    assert len(found) == 1
    return json.loads(found[0])


def test_the_worked_example_is_small(document):
    assert len(document.encode()) <= 300_000


def test_every_value_is_in_the_page_with_its_bits(document):
    trace = explain_worked().opened
    dtypes = {"f32": "<f4", "f64": "<f8", "i32": "<i4", "i64": "<i8", "u32": "<u4", "bool": "?"}
    nodes = content_in(document)["nodes"]
    assert [node["name"] for node in nodes] == list(map(trace.graph.name_of, range(len(nodes))))
    for node, value in zip(nodes, trace.values, strict=True):
        if "values" not in node:
            assert not node["form"]["op"], "only what moves numbers does without its own"
            continue
        found = np.frombuffer(base64.b64decode(node["values"]), dtypes[node["dtype"]])
        assert found.tobytes() == value.tobytes()


def test_the_policy_names_the_pages_own_script_and_style_and_nothing_else(document):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)[1]
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed.pop("default-src") == allowed.pop("base-uri") == "'none'"
    assert allowed.pop("form-action") == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", document, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts]
        assert allowed.pop(rule).split() == [f"'sha256-{h}'" for h in hashes]
    assert not allowed


def test_the_page_asks_for_nothing_from_elsewhere(document):
    markup = re.sub(r"<script.*?</script>", "", document, flags=re.DOTALL)
    assert not re.search(r"(src|href|url|@import)\s*[=(]", markup)
    named = set(re.findall(r"https?://[^\"'\s]+", document))
    assert named == {"http://www.w3.org/1998/Math/MathML", "http://www.w3.org/2000/svg"}


def test_text_can_neither_end_a_script_nor_begin_one(tmp_path):
    hostile = "</script><script>document.title='taken'</script><!--</style>{{script}}"
    net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()).initialize(0)
    trace = cr.explain(
        net,
        np.ones((1, 2)),
        np.ones((1, 1)),
        loss=nn.QuadraticLoss(),
        backend="numpy",
        names={hostile: ["0.weight[0, 0]"], '"><img src=x>': ["0.weight[0, 1]"]},
    )
    document = document_of(trace)
    assert len(re.findall("<script", document)) == 2
    assert len(re.findall("</script>", document)) == 2
    assert "<img" not in document
    own = [node["own"] for node in content_in(document)["nodes"] if "own" in node]
    assert own[0]["0"]["name"] == hostile


def test_a_small_step_has_the_proofs_of_each_number_with_a_name(document):
    trace = explain_worked().opened
    proofs = content_in(document)["proofs"]
    for position, node in enumerate(trace.graph.nodes):
        if node.name is not None and node.inputs:
            assert len(proofs[str(position)]) == node.type.size
    kinds = [proof["kind"] for proof in proofs[str(trace.graph.find("d_2.weight"))]["0"]]
    assert kinds == ["re-evaluation", "finite difference"]


def test_a_large_step_has_the_proofs_of_the_largest_gradients(monkeypatch):
    trace = explain_worked().opened
    monkeypatch.setattr(proved, "AFFORDABLE", 0)
    found = {trace.graph.name_of(position): at for position, at in numbers_to_prove(trace)}
    assert found == {"d_0.weight": 3, "d_2.weight": 1}


def test_an_altered_trace_says_so(document):
    assert content_in(document)["notice"] == ""
    trace = explain_worked()
    values = [value.copy() for value in trace.values]
    values[trace.graph.find("d_2.weight")][0, 0] = 1.0
    altered = replace(trace, values=tuple(values), stored=trace.seal)
    assert "altered" in content_in(document_of(altered))["notice"]


def test_the_file_is_written_by_the_trace(tmp_path):
    explain_worked().to_html(tmp_path / "step.html")
    assert (tmp_path / "step.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_is_written_in_no_other_file(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        explain_worked().to_html(tmp_path / "step.png")
    assert str(caught.value) == (
        f"A step as a page is written as .html; got {tmp_path}/step.png. Name it "
        f"{tmp_path}/step.html."
    )
    assert list(tmp_path.iterdir()) == []
