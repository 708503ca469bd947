"""Sheets and keys: what stands on them, one page each, readable, and loading nothing."""

import re
import subprocess
from html.parser import HTMLParser

import pytest

import chainrule as cr
from chainrule.base.errors import ConfigurationError, FolderNotFoundError
from chainrule.explanation.exercises import printing
from chainrule.explanation.exercises.key import key_fragment
from chainrule.explanation.exercises.paper import document
from chainrule.explanation.exercises.sheet import sheet_fragment
from tests.explanation.exercises.oracle import by_hand

prints = pytest.mark.skipif(printing.browser() is None, reason="no browser to print with")


class Outline(HTMLParser):
    """Headings, attributes and the nesting of a page."""

    VOID = frozenset({"meta", "br", "link", "img", "input"})

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.attributes, self.tags = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def made():
    return cr.exercise(seed=7, learning_rate=0.5)


@pytest.fixture(scope="module")
def pages(made):
    return {
        "sheet": document(made.title, [sheet_fragment(made)]),
        "key": document(made.title, [key_fragment(made)]),
    }


@pytest.mark.parametrize("seed", [0, 7, 8])
def test_sheets_as_text_are_golden(seed, golden):
    golden(f"explanation/exercise-{seed}", cr.exercise(seed=seed).text() + "\n")


def lines(fragment):
    """HTML with a line for each element that lays something out: a diff is read then."""
    return re.sub(r"(?=<(?:div|p|h\d|tr|section|footer))", "\n", fragment).strip() + "\n"


def test_the_html_of_a_sheet_is_golden(golden):
    made = cr.exercise(seed=7, ask=["delta1", "d_2.weight"])
    golden("explanation/exercise-sheet", lines(sheet_fragment(made)))
    golden("explanation/exercise-key", lines(key_fragment(made)))


def test_a_sheet_shows_no_answer(made):
    page = sheet_fragment(made) + made.text()
    for array in by_hand(made).values():
        for number in array.ravel():
            assert f"{abs(number):.4g}" not in page or f"{abs(number):.1f}" == f"{abs(number):.4g}"


def test_a_key_shows_every_answer_and_every_number_on_the_way(made):
    page = key_fragment(made)
    for task in made.tasks:
        for number in task.true:
            assert f"{abs(number):#.4g}".rstrip(".") in page
    for name in ("d_3.out", "d_3.out/d_2.out", "d_1.out", "d_1.out/d_0.out"):
        for number in made.trace.values[made.trace.graph.find(name)].ravel():
            assert f"{abs(number):#.4g}".rstrip(".") in page


def test_a_key_goes_as_far_as_what_is_asked_for():
    page = key_fragment(cr.exercise(seed=7, ask="delta2"))
    assert "BP1" in page
    assert "BP2" not in page


@pytest.mark.parametrize("kind", ["sheet", "key"])
def test_a_page_is_well_formed_and_headed(pages, kind):
    outline = Outline(pages[kind])
    assert outline.headings[0] == 1
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert ("html", "lang", "en") in outline.attributes
    ids = [value for _, name, value in outline.attributes if name == "id"]
    labelled = [value for _, name, value in outline.attributes if name == "aria-labelledby"]
    assert len(ids) == len(set(ids))
    assert set(labelled) <= set(ids)
    heads = [value for tag, name, value in outline.attributes if (tag, name) == ("th", "scope")]
    assert len(heads) == outline.tags.count("th")
    blanks = [
        value for tag, name, value in outline.attributes if (tag, name) == ("i", "aria-label")
    ]
    assert len(blanks) == (39 if kind == "sheet" else 0)


@pytest.mark.parametrize("kind", ["sheet", "key"])
def test_a_page_loads_nothing_and_runs_nothing(pages, kind):
    outline = Outline(pages[kind])
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(outline.tags)
    assert not [name for _, name, _ in outline.attributes if name in ("src", "href", "style")]
    policy = next(
        value for _, name, value in outline.attributes if value and "default-src" in value
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"url\(|@import|https?:", pages[kind])


def test_names_are_escaped():
    assert "<script>" not in document("<script>alert(1)</script>", ["<p>x</p>"])


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("name", "least"), [("ink", 7), ("muted", 4.5), ("accent", 4.5), ("line", 3)]
)
def test_colours_stand_out_from_the_paper(pages, name, least):
    # WCAG 2.2: 4.5 for text (1.4.3), 3 for what is no text (1.4.11).
    colours = dict(re.findall(r"--(\w+): (#\w{6})", pages["sheet"]))
    for paper in ("#ffffff", colours["mark"]):
        assert (luminance(paper) + 0.05) / (luminance(colours[name]) + 0.05) >= least


def pages_of(path):
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", path.read_bytes()))


@prints
@pytest.mark.parametrize(
    "kind",
    [
        {"network": "2-3-1", "learning_rate": 0.5},
        {"network": "2-2-2", "learning_rate": 0.5},
        {"network": "2-5-1"},
        {"network": "3-4-3"},
        {"network": "2-3-1", "examples": 3},
    ],
    ids=str,
)
def test_a_sheet_is_one_page_of_a4(kind, tmp_path):
    cr.exercise(seed=7, **kind).to_pdf(tmp_path / "sheet.pdf")
    assert pages_of(tmp_path / "sheet.pdf") == 1
    box = re.search(rb"/MediaBox\s*\[([^\]]*)\]", (tmp_path / "sheet.pdf").read_bytes())[1]
    assert [round(float(number)) for number in box.split()] == [0, 0, 595, 842]


@prints
def test_a_class_has_a_page_for_each(tmp_path):
    made = [cr.exercise(seed=seed) for seed in range(3)]
    printing.write_sheets(made, tmp_path / "class.pdf")
    assert pages_of(tmp_path / "class.pdf") == 3


def test_without_a_browser_it_is_said_what_to_do(made, tmp_path, monkeypatch):
    monkeypatch.setattr(printing, "browser", lambda: None)
    with pytest.raises(ConfigurationError) as raised:
        made.to_pdf(tmp_path / "sheet.pdf")
    assert str(raised.value) == (
        "PDF is printed by Chromium, Chrome or Edge, and none of them is found. "
        "Write sheet.html and print it with your browser."
    )
    assert not list(tmp_path.iterdir())


def test_a_browser_that_hangs_or_fails_is_named(made, tmp_path, monkeypatch):
    def hang(words, **_):
        raise subprocess.TimeoutExpired(words, 1)

    monkeypatch.setattr(printing, "browser", lambda: "/bin/false")
    with pytest.raises(ConfigurationError, match=r"false did not print\. Write sheet.html"):
        made.to_pdf(tmp_path / "sheet.pdf")
    monkeypatch.setattr(printing.subprocess, "run", hang)
    with pytest.raises(ConfigurationError, match="did not end within 120 seconds"):
        made.to_pdf(tmp_path / "sheet.pdf")


def test_files_have_their_endings(made, tmp_path):
    with pytest.raises(ConfigurationError, match=r"A sheet is written as .html or .pdf"):
        made.to_html(tmp_path / "sheet.doc")
    with pytest.raises(ConfigurationError, match=r"A file of answers is written as .csv"):
        made.save_answers(tmp_path / "answers.xlsx")
    with pytest.raises(FolderNotFoundError):
        made.save_key(tmp_path / "nowhere" / "key.html")
