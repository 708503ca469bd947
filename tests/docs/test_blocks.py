"""The runner of Markdown blocks finds what is wrong, and runs what is right."""

import re
from textwrap import dedent

import pytest

from tests.docs.blocks import run_document

SUM = """
    ```python
    x = 1 / 3
    ```
    Text.
    ```python
    print("sum", x + x)
    ```
    """

RIGHT = {
    "names are shared": SUM,
    "output is compared": SUM + "```text output\n    sum 0.6667\n    ```",
    "session": "```python\n>>> 1 + 1\n2\n>>> print('a b c')\na ... c\n```",
    "in a list": "- Do this:\n\n  ```python\n  assert True\n  ```",
    "file for a command": """
        ```python hello.py
        print("hello")
        ```
        ```console
        $ python hello.py
        hello
        $ ls
        hello.py
        ```
        """,
    "continued command": "```console\n$ python \\\n    --version\n```",
    "failure that is meant": """
        ```console
        $ python -c 'raise SystemExit(2)'
        $ echo $?
        2
        $ python --version
        ```
        """,
    "set-up is not run": "```console\n$ git clone nowhere\n$ cd nowhere\n$ make demo\n```",
    "environment variable": """
        ```console
        $ ANSWER=42 python -c 'import os; print(os.environ["ANSWER"])'
        42
        ```
        """,
    "slow is left out": "```python slow\nraise RuntimeError\n```",
    "well-formed toml": "```toml\nlr = 3.0\n```",
}

WRONG = {
    "exception": ("```python\nraise RuntimeError('no')\n```", "no"),
    "undefined name": ("```python\nprint(y)\n```", "name 'y' is not defined"),
    "session": ("```python\n>>> 1 + 1\n3\n```", "Expected:\n    3\nGot:\n    2"),
    "digits": ("```python\n>>> 2 / 3\n0.6677\n```", "0.6677"),
    "output": (SUM + "```text output\n    sum 0.6677\n    ```", "sum 0.6677"),
    "output of nothing": ("```text output\nsum 1\n```", "no Python block right above it"),
    "failing command": ("```console\n$ python -c 'raise SystemExit(2)'\n```", "exit status 2"),
    "failing, then more": (
        "```console\n$ python -c 'raise SystemExit(2)'\n$ ls\n```",
        "exit status 2",
    ),
    "wrong exit status": (
        "```console\n$ python -c 'raise SystemExit(2)'\n$ echo $?\n1\n```",
        "exit status 2, expected 1",
    ),
    "command's output": ("```console\n$ python -c 'print(1)'\n2\n```", "Expected:\n    2"),
    "unknown command": ("```console\n$ rm -rf build\n```", "'rm' is none of"),
    "unknown target": ("```console\n$ make tea\n```", "the Makefile has no ['tea']"),
    "output of make": ("```console\n$ make demo\nAccuracy 1.0\n```", "is not run"),
    "console without a command": ("```console\nchainrule demo\n```", "starts with `$ `"),
    "no language": ("```\nx = 1\n```", "a block of no language"),
    "unknown language": ("```py\nx = 1\n```", "a block of py"),
    "unknown word": ("```python skip\nx = 1\n```", "{'skip'} after python"),
    "malformed toml": ("```toml\nlr = \n```", "Invalid value"),
}


def write(folder, text):
    path = folder / "page.md"
    path.write_text(f"# Page\n\n{dedent(text)}\n", encoding="utf-8")
    return path


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_right_document_passes(tmp_path, text):
    assert run_document(write(tmp_path, text)) == []


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_wrong_document_fails(tmp_path, text, message):
    with pytest.raises(Exception, match=re.escape(message)):
        run_document(write(tmp_path, text))


@pytest.mark.usefixtures("empty_folder")
def test_failure_names_the_line(tmp_path):
    path = write(tmp_path, "```text\nfine\n```\n\n```console\n$ make tea\n```")
    with pytest.raises(AssertionError, match=re.escape(f"{path}, line 7")):
        run_document(path)


@pytest.mark.usefixtures("empty_folder")
def test_slow_block_runs_when_asked_for(tmp_path):
    with pytest.raises(RuntimeError, match="slow"):
        run_document(write(tmp_path, "```python slow\nraise RuntimeError('slow')\n```"), slow=True)


@pytest.mark.usefixtures("empty_folder")
def test_block_that_needs_torch_is_reported_when_torch_is_missing(tmp_path, monkeypatch):
    path = write(tmp_path, "```python torch\nraise RuntimeError('torch')\n```")
    monkeypatch.setattr("tests.docs.blocks.find_spec", lambda name: None)
    assert run_document(path) == [3]
    monkeypatch.setattr("tests.docs.blocks.find_spec", lambda name: name)
    with pytest.raises(RuntimeError, match="torch"):
        run_document(path)


@pytest.mark.usefixtures("empty_folder")
def test_block_that_needs_data_is_reported_when_left_out(tmp_path, monkeypatch):
    path = write(tmp_path, "```python data\nraise RuntimeError('data')\n```")
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    assert run_document(path) == [3]
    monkeypatch.setenv("CHAINRULE_DATA", "somewhere")
    with pytest.raises(RuntimeError, match="data"):
        run_document(path)
