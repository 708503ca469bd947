"""Run the fenced blocks of a Markdown file, from top to bottom, as a reader would.

A document runs in an empty folder of its own. What a block does depends on its first line:

```python               runs; all Python blocks of a document share their names. A block that starts
                        with >>> is a session: what it shows is compared.
```text output          is compared with what the Python block above it printed.
```console              runs each line that starts with `$ `. Lines below a command are compared
                        with what it prints; with none there, it only has to succeed. A command that
                        is meant to fail is followed by `$ echo $?` and its exit status.
                        `make` and the commands that set things up (git, pip, cd) are not run, so no
                        output is shown below them; a target of make has to exist.
```toml experiment.toml is written to that file, for the commands below it. So is a block of any
                        language with a file name, Python too: ```python train.py
```text, toml, json, …  is shown. TOML and JSON have to be well formed.

`slow` on the first line (```console slow) leaves a block to `make test-slow`; `data` runs it only
where CHAINRULE_DATA names the folder of real data sets, `torch` only where torch is installed.
There is no word that turns a block off.

When something is compared, `...` stands for anything, runs of white space are equal, and a number
is compared to the digits that are shown.
"""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, Example
from importlib.util import find_spec
from pathlib import Path

from sybil import Sybil
from sybil.evaluators.doctest import NUMBER, DocTestEvaluator, OutputChecker
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from tests.tree import ROOT

FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE | NUMBER
LANGUAGES = {"console", "csv", "diff", "html", "json", "latex", "mermaid", "python", "text", "toml"}
WORDS = {"data", "output", "slow", "torch"}
RUN = {"cat", "chainrule", "head", "ls", "python"}
SHOWN = {"cd", "git", "pip"}
SECONDS = 300

FIRST_LINE = re.compile(r"(?P<language>[^\s`]*)(?P<words>[^\n`]*)$\n?", re.MULTILINE)


def run_document(path, slow=False):
    """Run the blocks of a Markdown file in the current folder.

    Returns the lines of blocks that were left out because they need what is not here.
    """
    blocks = Blocks(slow=slow, data=bool(os.environ.get("CHAINRULE_DATA")))
    document = Sybil(parsers=[blocks]).parse(Path(path))
    document.namespace["__name__"] = "__main__"
    for example in document.examples():
        example.evaluate()
    return blocks.left_out


class Blocks:
    """A parser for Sybil that knows what to do with each block of one document."""

    def __init__(self, slow, data):
        self.slow = slow
        self.data = data
        self.left_out = []
        self.printed = None  # by the last Python block, until another kind of block comes
        self.run_python = PythonEvaluator()
        self.read_session = DocTestStringParser(DocTestEvaluator(FLAGS))

    def __call__(self, document):
        for region in RawFencedCodeBlockLexer(FIRST_LINE)(document):
            region.parsed = source = region.lexemes["source"]
            region.language = region.lexemes["language"]
            region.words = set(region.lexemes["words"].split())
            region.evaluator = self.evaluate
            runs = self.is_wanted(region, document)
            if runs and region.language == "python" and source.lstrip().startswith(">>>"):
                for step in self.read_session(source, document.path):
                    step.adjust(region, source)
                    yield step
            elif runs:
                yield region

    def is_wanted(self, region, document):
        if "slow" in region.words and not self.slow:
            return False
        is_missing = "data" in region.words and not self.data
        is_missing |= "torch" in region.words and not find_spec("torch")
        if is_missing:
            self.left_out.append(document.text.count("\n", 0, region.start) + 1)
            return False
        return True

    def evaluate(self, example):
        """Run one block; what is wrong with it, or nothing."""
        region = example.region
        language, source = region.language, example.parsed
        files = {word for word in region.words if "." in word}
        printed, self.printed = self.printed, None
        if language not in LANGUAGES:
            return f"a block of {language or 'no language'}: use {', '.join(sorted(LANGUAGES))}"
        if unknown := region.words - WORDS - files:
            return f"{unknown} after {language}: use a file name, {', '.join(sorted(WORDS))}"
        for name in files:
            Path(name).write_text(source, encoding="utf-8")
        if "output" in region.words:
            if printed is None:
                return "an output block, but no Python block right above it"
            return compare(source, printed)
        if language == "python" and not files:
            with contextlib.redirect_stdout(io.StringIO()) as output:
                self.run_python(example)
            self.printed = output.getvalue()
        elif language == "console":
            return run_console(source)
        elif language == "toml":
            tomllib.loads(source)
        elif language == "json":
            json.loads(source)
        return None


def run_console(source):
    """Run the commands of a console block; what went wrong, or None."""
    status, command = 0, None
    for following, wanted in read_commands(source):
        if following == "echo $?":
            if command is None:
                return "echo $? follows no command"
            if str(status) != wanted.strip():
                return f"$ {command}\nexit status {status}, expected {wanted.strip()}"
            status = 0
            continue
        if status:
            break
        command = following
        status, printed, problem = run_command(command, wanted)
        if problem:
            return problem
    if status:
        return f"$ {command}\nexit status {status}\n{printed}"
    return None


def read_commands(source):
    """(command, the output shown below it) for each `$ ` line."""
    for chunk in re.split(r"^\$ ", source.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, wanted = chunk.partition("\n")
        yield command.strip(), wanted
    if not source.startswith("$ "):
        yield source, "a console block starts with `$ `"


def run_command(command, wanted):
    """(exit status, output, problem) of one command line."""
    words = shlex.split(command, comments=True)
    program = next((word for word in words if "=" not in word), "")
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        unknown = [word for word in words[1:] if "=" not in word and word not in targets]
        if unknown:
            return 0, "", f"$ {command}\nthe Makefile has no {unknown}"
    if program == "make" or program in SHOWN:
        problem = (
            f"$ {command}\nis not run, so its output cannot be shown" if wanted.strip() else ""
        )
        return 0, "", problem
    if program not in RUN:
        return 0, "", f"$ {command}\n{program!r} is none of {', '.join(sorted(RUN | SHOWN))}, make"
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    result = subprocess.run(
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # as on a terminal
        env=environment,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    problem = wanted.strip() and compare(wanted, result.stdout)
    return result.returncode, result.stdout, problem and f"$ {command}\n{problem}"


def compare(wanted, printed):
    """The difference, for people; '' when there is none."""
    checker = OutputChecker()
    # Blank lines at the ends are the block's, not the program's.
    wanted, printed = wanted.strip() + "\n", printed.strip() + "\n"
    if checker.check_output(wanted, printed, FLAGS):
        return ""
    return checker.output_difference(Example("", wanted), printed, FLAGS)
