"""The page as somebody uses it: by pressing, by keys, on a phone, in the dark."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from tests.explanation.traces import explain_accumulated, explain_worked

# Nobody has to install axe-core to run the tests: CHAINRULE_AXE is where its axe.min.js lies.
AXE = os.environ.get("CHAINRULE_AXE", "")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "step.html"
    explain_worked().to_html(path)
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    browser.resize(1280, 900)
    browser.prefer(prefers_color_scheme="light")
    browser.open(address)
    yield browser
    assert not browser.complaints
    assert all(not url.startswith("http") for url in browser.requests)


def press(page, selector):
    """Press on the middle of an element, as a mouse does."""
    box = page.run(
        f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
        "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        where = {"x": box[0], "y": box[1]}
        page.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)


def panel(page):
    return page.run("document.getElementById('panel').innerText")


def opened(page):
    return page.run("document.querySelector('#panel h2').getAttribute('aria-label')")


def test_one_press_on_a_weight_gives_its_gradient_with_three_factors(page):
    press(page, '.number[data-name="2.weight"][data-index="0,0"]')
    assert opened(page) == "w5 = 0.4"
    text = panel(page)
    for figure in ("0.0821670406", "0.741365", "0.186816", "0.59327", "0.35891648"):
        assert figure in text


def test_one_press_on_the_first_screen_gives_the_two_paths_of_a_gradient(page):
    press(page, '#panel [data-open="d_0.weight[0,0]"]')
    assert opened(page) == "∂E/∂w1 = 0.000438567734"
    text = panel(page)
    assert "2 paths back to the loss" in text
    for figure in ("0.138499", "−0.0380982", "0.000668396021", "−0.000229828287"):
        assert figure in text
    assert text.count("✓") == 2


def test_the_paths_of_a_gradient_stand_out_in_the_network(page):
    page.run("open('d_0.weight[0,0]')")
    marked = page.run(
        "[...document.querySelectorAll('line.is-path, .neuron.is-path')]"
        ".map((e) => e.dataset.name + ' ' + e.dataset.index)"
    )
    assert sorted(marked) == [
        "1.out 0", "2.weight 0,0", "2.weight 1,0", "3.out 0", "3.out 1", "x 0",
    ]  # fmt: skip


def test_numbers_inside_of_a_formula_open_and_the_way_leads_back(page):
    press(page, '#panel [data-open="d_2.weight[0,0]"]')
    press(page, '.equation mrow[data-open="d_2.out[0,0]"]')
    assert opened(page) == "δ_o1 = 0.138498562"
    press(page, '.trail [aria-label="Back"]')
    page.run("new Promise((done) => setTimeout(done, 200))")
    assert opened(page) == "∂E/∂w5 = 0.0821670406"
    press(page, '.trail [aria-label="Forward again"]')
    page.run("new Promise((done) => setTimeout(done, 200))")
    assert opened(page) == "δ_o1 = 0.138498562"


def test_the_step_goes_from_value_to_value_by_keys_and_both_pictures_follow(page):
    seen = []
    for _ in range(16):
        page.press("ArrowRight")
        seen.append(page.run("document.querySelector('.chip[aria-current=step]').innerText"))
        marked = page.run(
            "['network', 'graph'].map((k) => pictureOf(k).querySelectorAll('.is-open').length)"
        )
        assert marked[1] == 1, seen[-1]
        assert marked[0] or seen[-1] in {"E", "step⁺", "∂a2/∂z2", "∂a1/∂z1", "δ1", "δ2"}
    assert seen == [
        *("z1", "a1", "z2", "a2", "E"),
        *("∂E/∂a2", "∂a2/∂z2", "δ2", "∂E/∂a1", "∂E/∂W2", "∂a1/∂z1", "δ1", "∂E/∂W1"),
        *("W1⁺", "W2⁺", "step⁺"),
    ]
    page.press("ArrowLeft")
    assert opened(page) == "W2⁺"


def test_what_is_opened_is_said_and_has_the_focus(page):
    press(page, '#panel [data-open="d_2.weight[0,0]"]')
    said = page.run("document.getElementById('told').textContent")
    assert said.startswith("∂E/∂w5 = 0.0821670406, the gradient of the loss by the weight")
    assert page.run("document.activeElement === document.querySelector('#panel h2')")
    page.press("Tab")
    focused = page.run("[document.activeElement.tagName, document.activeElement.dataset.open]")
    assert focused == ["BUTTON", "d_2.out[0,0]"]
    page.press("Enter")
    assert opened(page) == "δ_o1 = 0.138498562"
    page.press("Escape")
    page.run("new Promise((done) => setTimeout(done, 200))")
    assert opened(page) == "∂E/∂w5 = 0.0821670406"


def test_an_address_opens_a_number(browser, address):
    browser.open(f"{address}#w5")
    assert opened(browser) == "w5 = 0.4"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_makes_the_page_wider_than_the_screen(page, width):
    page.resize(width, 800)
    for name in ("", "w5", "d_0.weight[0,0]", "d_0.weight", "loss"):
        page.run(f"open({json.dumps(name)})")
        assert page.run("document.documentElement.scrollWidth") <= width, name


def test_long_names_do_not_make_the_page_wider(browser, tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.the_first_layer_of_an_encoder_with_a_very_long_name_indeed = nn.Linear(2, 1)

        def forward(self, x):
            return self.the_first_layer_of_an_encoder_with_a_very_long_name_indeed(x)

    trace = cr.explain(Net(), np.ones((3, 2)), np.ones((3, 1)), loss=nn.MSELoss())
    trace.to_html(tmp_path / "step.html")
    browser.resize(320, 700)
    browser.open((tmp_path / "step.html").as_uri())
    names = browser.run("nodes.flatMap((n, i) => [n.name, nameOf({ node: i, at: 0 })])")
    for name in names:
        browser.run(f"open({json.dumps(name)})")
        assert browser.run("document.documentElement.scrollWidth") <= 320, name


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_what_is_opened_comes_into_sight(page, width):
    page.resize(width, 780)
    press(page, '.number[data-name="2.weight"][data-index="0,0"]')
    top, active = page.run(
        "[panel.querySelector('h2').getBoundingClientRect().top, document.activeElement.tagName]"
    )
    assert 0 <= top < 780 / 4
    assert active == "H2"
    assert page.run("scrollX") == 0


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("button", ["#forth", "#back"])
def test_on_a_phone_a_step_further_comes_into_sight(page, width, button):
    page.resize(width, 780)
    page.run("open('3.out', {focus: false}); scrollTo(0, 0)")
    press(page, button)
    top, active = page.run(
        "[panel.querySelector('h2').getBoundingClientRect().top, document.activeElement.id]"
    )
    assert 0 <= top < 780 / 4
    assert active == button[1:]  # so that it may be pressed again
    assert page.run("scrollX") == 0


def test_on_a_wide_screen_a_step_further_moves_nothing(page):
    page.run("scrollTo(0, 0)")
    press(page, "#forth")
    assert page.run("scrollY") == 0


def test_a_term_of_a_later_batch_names_its_own_row(browser, tmp_path):
    explain_accumulated().to_html(tmp_path / "step.html")
    browser.resize(1280, 900)
    browser.open((tmp_path / "step.html").as_uri())
    for batch, words in (("1", {"example 0", "example 3"}), ("2", {"example 0, row 4"})):
        browser.run(f"open('d_batch{batch}.0.weight[0,0]')")
        said = browser.run("[...panel.querySelectorAll('.example')].map((e) => e.textContent)")
        assert words <= set(said)
    assert not browser.complaints


def test_on_a_phone_the_graph_begins_where_it_can_be_read(page, address):
    page.resize(320, 780)
    page.open(address)
    first, smallest = page.run(
        """(() => { const figure = pictureOf("graph"), frame = figure.querySelector(".frame");
        frame.scrollIntoView();
        const outer = frame.getBoundingClientRect();
        const inner = figure.querySelector('.box[data-name="x"]').getBoundingClientRect();
        const heights = [...figure.querySelectorAll("text")]
          .map((e) => e.getBoundingClientRect().height);
        return [[inner.left - outer.left, outer.right - inner.right, inner.top - outer.top],
          Math.min(...heights)]; })()"""
    )
    assert min(first) >= 0
    assert smallest >= 9


def test_light_and_dark_are_chosen_and_remembered(page, address):
    paper = "getComputedStyle(document.body).backgroundColor"
    picture = "getComputedStyle(document.querySelector('.cr-paper')).fill"
    assert page.run(f"[{paper}, {picture}]") == ["rgb(255, 255, 255)"] * 2
    press(page, "#theme")
    assert page.run(f"[{paper}, {picture}]") == ["rgb(21, 24, 29)"] * 2
    page.open(address)
    assert page.run(paper) == "rgb(21, 24, 29)"
    press(page, "#theme")
    assert page.run(paper) == "rgb(255, 255, 255)"
    page.run("localStorage.clear()")
    page.prefer(prefers_color_scheme="dark")
    page.open(address)
    assert page.run(paper) == "rgb(21, 24, 29)"


def test_every_picture_has_a_table_with_the_same_numbers(page):
    page.run("document.querySelectorAll('.picture details').forEach((e) => { e.open = true; })")
    network, graph = page.run(
        "['network', 'graph'].map((kind) => pictureOf(kind).querySelector('table').innerText)"
    )
    for text in ("w5", "0.4", "0.082167", "0.358916", "out_h1", "0.59327"):
        assert text in network
    assert graph.count("\n") >= len(explain_worked().opened.graph.nodes)


def test_a_modules_inside_can_be_hidden(page):
    inside = "getComputedStyle(document.querySelector('.cluster > .inside')).display"
    assert page.run(inside) != "none"
    page.run("document.querySelector('.fold').dispatchEvent(new Event('click', {bubbles: true}))")
    assert page.run(inside) == "none"


def test_names_are_text_and_never_markup(browser, tmp_path):
    hostile = "</script><img src=x onerror=document.title='taken'>"
    net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()).initialize(0)
    cr.explain(
        net,
        np.ones((1, 2)),
        np.ones((1, 1)),
        loss=nn.QuadraticLoss(),
        backend="numpy",
        names={hostile: ["0.weight[0, 0]"]},
    ).to_html(tmp_path / "step.html")
    browser.open((tmp_path / "step.html").as_uri())
    browser.run("open('0.weight[0,0]')")
    assert opened(browser).startswith(hostile)
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.title") != "taken"
    assert not browser.complaints


@pytest.mark.skipif(not Path(AXE).is_file(), reason="CHAINRULE_AXE names no axe.min.js")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", ["", "w5", "d_0.weight[0,0]", "d_0.weight"])
def test_axe_finds_no_violation(page, theme, width, name):
    page.resize(width, 900)
    page.prefer(prefers_color_scheme=theme)
    if name:
        page.run(f"open({json.dumps(name)})")
    page.run(Path(AXE).read_text(encoding="utf-8") + ";0")
    found = page.run("axe.run().then(({violations}) => violations.map((v) => v.id + v.help))")
    assert found == []
