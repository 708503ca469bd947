"""An error says where the user's own code went wrong: the file, the line, the layer."""

import code
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import ChainruleError, ShapeError
from chainrule.eager import in_scope, tracing

HERE = "tests/eager/test_user_lines.py"
DOES_NOT_FIT = (
    "add got shapes [3] and [4], which do not broadcast: axis 0 from the back is 3 and 4. "
    "Line {} of {}."
)
A, B = np.zeros(3), np.zeros(4)


def line_below(offset=1):
    return inspect.currentframe().f_back.f_lineno + offset


def test_a_shape_error_says_the_line():
    a, b = cr.tensor(A), cr.tensor(B)
    with pytest.raises(ShapeError) as caught:
        a + b
    assert str(caught.value) == DOES_NOT_FIT.format(line_below(-1), HERE)


def test_a_shape_error_in_a_traced_function_says_the_line_in_the_function():
    def layer(a, b):
        shifted = a * 2
        return shifted + b

    def network(a):
        return layer(a, B).sum()

    with pytest.raises(ShapeError) as caught:
        cr.grad(network)(A)
    assert str(caught.value) == DOES_NOT_FIT.format(layer.__code__.co_firstlineno + 2, HERE)


def test_a_shape_error_in_nested_functions_and_lambdas_says_the_innermost_line():
    line = line_below()
    inner = lambda a: a + B  # noqa: E731
    middle = lambda a: inner(a * 2)  # noqa: E731
    with pytest.raises(ShapeError) as caught:
        cr.grad(lambda a: cr.grad(lambda c: middle(c).sum())(a).sum())(A)
    assert str(caught.value) == DOES_NOT_FIT.format(line, HERE)


def test_a_multi_line_expression_says_the_line_of_the_operator():
    # fmt: off
    line = line_below(4)
    with pytest.raises(ShapeError) as caught:
        (
            cr.tensor(A)
            + B
            + A
        )
    # fmt: on
    assert caught.value.where in {f"Line {line + i} of {HERE}" for i in (-1, 0)}


def test_an_error_names_the_layer():
    with pytest.raises(ShapeError) as caught, in_scope("encoder.0"):
        cr.tensor(A) + B
    assert caught.value.where == f'Line {line_below(-1)} of {HERE}, layer "encoder.0"'


def test_an_error_inside_a_comprehension_or_a_generator_says_its_line():
    line = line_below()
    rows = (cr.tensor(A) + other for other in [B])
    with pytest.raises(ShapeError) as caught:
        list(rows)
    assert str(caught.value) == DOES_NOT_FIT.format(line, HERE)


def test_an_error_through_the_standard_library_says_the_users_line():
    from functools import reduce
    from operator import add

    with pytest.raises(ShapeError) as caught:
        reduce(add, [cr.tensor(A), B])
    assert str(caught.value) == DOES_NOT_FIT.format(line_below(-1), HERE)


def shown_by(filename, source, capsys):
    console = code.InteractiveInterpreter()
    console.runsource("import chainrule as cr", filename)
    console.runsource(source, filename)
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "filename",
    ["<stdin>", "<python-input-3>", "<ipython-input-7-abc>", "/tmp/ipykernel_1/2.py", "<string>"],
)
def test_a_line_typed_at_a_prompt_or_in_a_notebook_is_named_as_python_names_it(filename, capsys):
    shown = shown_by(filename, "cr.tensor([0.0] * 3) + [0.0] * 4", capsys)
    assert shown == "chainrule.base.errors.ShapeError: " + DOES_NOT_FIT.format(1, filename)


def test_a_script_from_standard_input_says_its_line():
    script = "import chainrule as cr\n\ncr.tensor([0.0] * 3) + [0.0] * 4\n"
    run = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert run.stderr.splitlines()[-1].endswith(DOES_NOT_FIT.format(3, "<stdin>"))


def test_a_file_elsewhere_is_named_in_full(tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text("import chainrule as cr\ncr.tensor([0.0] * 3) + [0.0] * 4\n")
    for folder, name in ((tmp_path, "train.py"), (os.sep, str(script).lstrip(os.sep))):
        run = subprocess.run(
            [sys.executable, script], cwd=folder, capture_output=True, text=True, check=False
        )
        assert run.stderr.splitlines()[-1].endswith(DOES_NOT_FIT.format(2, name))
    run = subprocess.run(
        [sys.executable, script], cwd=os.path.dirname(__file__), capture_output=True, text=True
    )
    assert run.stderr.splitlines()[-1].endswith(DOES_NOT_FIT.format(2, script))


def test_names_of_files_follow_the_working_folder(tmp_path, monkeypatch):
    with pytest.raises(ShapeError, match=f" of {HERE}"):
        cr.tensor(A) + B
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShapeError, match=f" of {__file__}"):
        cr.tensor(A) + B


def test_a_working_folder_that_is_gone_is_no_problem(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ShapeError, match=f" of {__file__}"):
        cr.tensor(A) + B


def test_a_file_on_another_drive_is_named_in_full(monkeypatch):
    def refuse(*_):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    tracing._short.cache_clear()
    monkeypatch.setattr(os.path, "relpath", refuse)
    with pytest.raises(ShapeError, match=f" of {__file__}"):
        cr.tensor(A) + B
    tracing._short.cache_clear()


def test_no_error_shows_how_it_was_found():
    """The traceback ends in our error: no second one 'during handling' of a first."""
    with pytest.raises(ChainruleError) as caught:
        cr.tensor(A) + B
    assert caught.value.__suppress_context__


def test_a_node_knows_its_line_after_differentiation():
    line = line_below()
    graph = cr.trace(cr.grad(lambda x: (x.exp() * x).sum()), A)
    sources = {(node.source.file, node.source.line) for node in graph.nodes if node.source}
    assert sources == {(HERE, line)}


def test_one_function_on_two_lines_has_each_its_own():
    # Equal graphs share their derivative, but not the lines it points to.
    lines, graphs = [], []
    lines.append(line_below())
    graphs.append(cr.trace(cr.grad(lambda x: x.exp().sum()), A))
    lines.append(line_below())
    graphs.append(cr.trace(cr.grad(lambda x: x.exp().sum()), A))
    assert graphs[0] == graphs[1]
    for line, graph in zip(lines, graphs, strict=True):
        assert {node.source.line for node in graph.nodes if node.source} == {line}
