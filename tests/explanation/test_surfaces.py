"""LaTeX that compiles, HTML without scripts, JSON: the same report in other forms, escaped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from chainrule.base.errors import ConfigurationError
from chainrule.data.worked import worked_example
from chainrule.explanation import Trace
from chainrule.explanation.printing.document import as_data
from chainrule.explanation.printing.latex import escape
from tests.explanation.drawn import COMBINATIONS, draw, random_places
from tests.explanation.traces import explain_worked
from tests.sampling import slow

HOSTILE = (
    "\\input{/etc/passwd} 50% $x_1^2$ #1 & ~ {\\evil} <script>alert('1')</script>"
    '</style> \x1b[31m\r σ′ δᴸ w⁺ 中 \U0001f600 "`|-- -'
)


@pytest.fixture(scope="module")
def hostile():
    """A trace with a name, a user's line and a network that mean no good."""
    example = worked_example("2-2-2")
    trace = explain_worked(names={**example.names, HOSTILE: ["2.weight[0,0]"]})
    about = replace(trace.about, lines=dict.fromkeys(trace.about.lines, HOSTILE), network=HOSTILE)
    return Trace(trace.graph, trace.values, about, trace.names)


@pytest.fixture(scope="module")
def broken(worked):
    """A trace with numbers that are not finite."""
    values = list(worked.values)
    values[worked.graph.find("d_2.weight")] = np.array([[np.nan, np.inf], [-np.inf, 0]])
    return Trace(worked.graph, tuple(values), worked.about, worked.names)


# --- LaTeX ----------------------------------------------------------------------------------------


def test_the_align_block_of_w5(worked, golden):
    golden("explanation/2-2-2-w5-latex", worked["w5"].latex())


def test_the_align_block_of_a_sum_over_the_batch(classifier):
    block = classifier["4.weight", 0, 1].latex(depth=0)
    assert r"&= \sum_{b} \frac{\partial \mathrm{loss}}" in block
    assert block.startswith("\\begin{align*}\n")
    assert block.endswith("\n\\end{align*}\n")


def test_data_has_an_align_block_too(worked):
    assert worked["i1"].latex() == "\\begin{align*}\ni_{1} &= 0.05\n\\end{align*}\n"


@pytest.mark.parametrize("text", [HOSTILE, "".join(map(chr, range(0x20, 0x250)))])
def test_escaped_text_has_nothing_left_that_latex_reads(text):
    escaped = escape(text)
    assert escaped.isascii()
    commands = set(re.findall(r"\\([a-zA-Z]+)", escaped))
    assert not commands & {"input", "evil", "script"}


COMPILED = ["w5", "w1", "2.bias[0]", "i1", "E", "out_h1", "δ_o1"]


@pytest.fixture
def compiled(tmp_path):
    """Compile a document with pdflatex; it must have no error, and no line that is too wide."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed: it is what shows that the documents compile")

    def compile_document(explanation):
        explanation.save(tmp_path / "it.tex")
        words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
        done = subprocess.run(
            [*words, "it.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        return done.stdout

    return compile_document


@pytest.mark.parametrize("name", COMPILED)
def test_documents_of_the_worked_example_compile(worked, compiled, name):
    assert "Overfull" not in compiled(worked[name])


@pytest.mark.parametrize("name", ["0.weight[3,400]", "loss", "d_1.out[2,3]"])
def test_documents_of_large_sums_compile(digits, compiled, name):
    assert "Overfull" not in compiled(digits[name])


@pytest.mark.parametrize("name", ["0.weight[3,4]", "4.out[1,2]", "loss", "1.weight[2]"])
def test_documents_of_a_classifier_compile(classifier, compiled, name):
    assert "Overfull" not in compiled(classifier[name])


@pytest.mark.parametrize("name", ["w5", "w6", "w7"])
def test_documents_with_numbers_that_are_not_finite_compile(broken, compiled, name):
    compiled(broken[name])


def test_a_document_of_hostile_names_compiles_and_reads_nothing(hostile, compiled):
    assert "/etc/passwd" not in compiled(hostile["2.weight[0,0]"])


# --- HTML -----------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page, balanced, and its text."""

    VOID = ("meta", "br")

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], set(), set(), []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def html_of(thing):
    return thing._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("name", [*COMPILED, None])
def test_html_is_balanced_and_has_no_script(worked, name):
    html = html_of(worked if name is None else worked[name])
    tags = Tags(html)
    assert not tags.tags & {"script", "iframe", "link", "img", "object"}
    assert not any(attribute.startswith("on") for attribute in tags.attributes)
    assert "http" not in html


@pytest.mark.parametrize("name", ["0.weight[3,4]", "4.out[1,2]", "loss"])
def test_formulas_are_mathml(classifier, name):
    html = html_of(classifier[name])
    formulas = re.findall(r"<math>.*?</math>", html)
    assert len(formulas) > 3
    for formula in formulas:
        ET.fromstring(formula.replace("&#x2061;", "").replace("&#xA0;", " "))


def test_html_says_what_the_text_says(worked):
    text = "".join(Tags(html_of(worked["w1"])).text)
    for figure in ("0.000438567734", "0.0553994247", "0.0363503064", "holds"):
        assert figure in text


def test_hostile_names_are_text_in_html(hostile):
    for thing in (hostile, hostile["2.weight[0,0]"]):
        html = html_of(thing)
        assert "<script" not in html
        assert "</style> " not in html
        assert "\x1b" not in html
        assert "&lt;script&gt;" in html
        Tags(html)


def test_a_notebook_has_text_beside_html(worked):
    bundle = worked["w5"]._repr_mimebundle_()
    assert bundle["text/plain"] == worked["w5"].text()
    assert worked._repr_mimebundle_()["text/plain"] == worked.text()
    assert worked["w5"]._repr_html_() == bundle["text/html"]
    assert worked._repr_html_() == html_of(worked)


def test_a_page_is_a_whole_document(worked, tmp_path):
    worked["w5"].save(tmp_path / "w5.html")
    page = (tmp_path / "w5.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert Tags(page).tags >= {"html", "title", "main", "math"}


# --- JSON -----------------------------------------------------------------------------------------


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.parametrize("name", ["w5", "w6", "w7", "i1", "E"])
def test_json_is_strict_json_even_of_nan(worked, broken, name):
    for trace in (worked, broken):
        read = json.loads(trace[name].to_json(), parse_constant=no_constant)
        assert read == trace[name].as_data()


def test_nan_is_a_text_in_json(broken):
    (section, *_) = broken["w5"].as_data()["sections"]
    assert section["value"] == "NaN"
    (section, *_) = broken["w7"].as_data()["sections"]
    assert section["value"] == "-Infinity"


def test_json_holds_the_whole_derivation(worked):
    document = worked["w1"].as_data()
    assert (document["format"], document["version"]) == ("chainrule explanation", 1)
    gradient, update = document["sections"]
    assert (gradient["symbol"], gradient["rule"]) == ("∂E/∂w1", "δ_h1·i1")
    (delta,) = gradient["parts"]
    arriving = delta["parts"][0]
    assert [term["rule"] for term in arriving["terms"]] == ["δ_o1·w5", "δ_o2·w7"]
    assert update["change"] == worked["w1"].change
    assert [proof["kind"] for proof in gradient["proofs"]] == ["re-evaluation", "finite difference"]


def test_the_terms_of_a_table_add_up_in_json(digits):
    (gradient, *_) = digits["0.weight", 3, 400].as_data()["sections"]
    total = sum(term["value"] for term in gradient["terms"])
    total += gradient["others"]["total"] + gradient["rounding"]
    assert total == pytest.approx(gradient["value"], rel=1e-14)


def test_a_report_is_data_before_it_is_printed(worked):
    report = worked["w5"].report(depth=1)
    assert as_data(report)["sections"][0]["not_opened"] == []
    assert [section.heading for section in report.sections] == ["Gradient", "Update"]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".tex", ".html", ".json", ".txt"])
def test_a_report_is_saved_in_the_form_of_the_ending(worked, tmp_path, ending):
    path = tmp_path / f"w5{ending}"
    worked["w5"].save(path)
    assert "0.0821670406" in path.read_text(encoding="utf-8")


def test_an_ending_that_says_no_form_is_refused(worked, tmp_path):
    with pytest.raises(ConfigurationError) as error:
        worked["w5"].save(tmp_path / "w5.pdf")
    assert str(error.value) == (
        "The explanation of a number is written as .tex, .html, .json or .txt; got "
        f"{tmp_path}/w5.pdf. Name it {tmp_path}/w5.tex."
    )


# --- the overview of a trace ----------------------------------------------------------------------


def test_the_overview_of_the_worked_example(worked, golden):
    golden("explanation/2-2-2-overview", worked.text().replace("muladd", "fma"))


def test_every_suggestion_opens(worked, digits, classifier):
    for trace in (worked, digits, classifier):
        typed = re.findall(r"trace\[\"(.*)\"\]\.show\(\)", trace.text())
        assert len(typed) == 3
        for name in typed:
            assert trace[name].text()


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_of_an_overview_is_longer_than_asked_for(classifier, width):
    assert max(map(len, classifier.text(width).splitlines())) <= width


def test_an_overview_of_hostile_names_is_plain_text(hostile):
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", hostile.text())


# --- any number of any network --------------------------------------------------------------------


@pytest.mark.parametrize("i", [*range(3, 200, 51), *map(slow, range(31, 200, 28))])
def test_any_number_of_a_random_step_is_shown_in_every_form(i):
    trace = draw(i, *COMBINATIONS[i % len(COMBINATIONS)])
    for name, index in random_places(trace, 3, i):
        explanation = trace[(name, *index)]
        text = explanation.text()
        assert max(map(len, text.splitlines())) <= 80
        assert "DOES NOT HOLD" not in text
        assert json.loads(explanation.to_json(), parse_constant=no_constant)
        for formula in re.findall(r"<math>.*?</math>", html_of(explanation)):
            ET.fromstring(formula.replace("&#x2061;", "").replace("&#xA0;", " "))
        block = re.sub(r"\\[{}]", "", explanation.latex())
        assert block.count("{") == block.count("}")
        assert block.count(r"\left") == block.count(r"\right")
        assert block.isascii()
