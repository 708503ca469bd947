"""Help that a newcomer understands: what it is for first, examples last, 80 columns, at once."""

import json
import re
import shlex

import pytest

from chainrule.cli import app
from chainrule.cli.application import PURPOSES

COMMANDS = sorted(PURPOSES)


def examples(text):
    """The command lines at the end of a help page."""
    _, _, end = text.partition("Examples:\n")
    return [line.strip().partition("   ")[0] for line in end.splitlines() if line.strip()]


def test_commands_are_those_with_a_purpose(chainrule):
    text = chainrule("--help").out
    for command in COMMANDS:
        assert PURPOSES[command].partition("\n")[0].split()[0] in text
        assert f"│ {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_the_purpose_and_ends_with_examples(chainrule, command):
    result = chainrule(command, "--help")
    assert result.status == 0
    usage, purpose = result.out.split("\n\n")[:2]
    assert usage.strip().startswith(f"Usage: chainrule {command}")
    assert purpose.split() == PURPOSES[command].partition("\n")[0].split()
    assert examples(result.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_purpose_is_the_commands_own(command):
    own = app[command].default_command.__doc__
    assert own.partition("\n")[0] == PURPOSES[command].partition("\n")[0]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns(chainrule, command):
    text = chainrule(*command.split(), "--help").out
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_examples_are_not_broken_in_80_columns(chainrule, command):
    text = chainrule(*command.split(), "--help").out
    for line in (app[command] if command else app).help_epilogue.splitlines():
        assert line in text.splitlines()


def arguments():
    """Every argument of every command but those that all have."""
    for command in COMMANDS:
        for argument in app[command].assemble_argument_collection(parse_docstring=True):
            if argument.show and argument.name not in ("--json", "--debug"):
                yield command, argument


def test_what_is_written_to_a_file_is_named_by_one_option_everywhere():
    files = {
        (command, argument.name)
        for command, argument in arguments()
        if "FILE" in str(argument.parameter.metavar) or "to a file" in argument.parameter.help
    }
    beside = {("exercise", "--key"), ("exercise", "--answers")}  # files of their own, with it
    results = {(command, "--save") for command in ("predict", "explain", "diagram", "exercise")}
    assert files == results | beside


def test_an_option_of_one_name_is_of_one_kind_everywhere():
    kinds = {}
    for _, argument in arguments():
        if argument.name.startswith("--"):
            kinds.setdefault(argument.name, set()).add((argument.hint, argument.parameter.metavar))
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_takes(chainrule, command):
    text = chainrule(command, "--help").out
    assert not re.search(r"--\S+ (STR|INT|PATH|FLOAT)\b", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_appears_in_help(chainrule, command):
    text = chainrule(command, "--help").out
    for argument in app[command].assemble_argument_collection(parse_docstring=True):
        if argument.show:
            assert argument.name in text


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_can_be_typed(chainrule, command):
    for line in examples(chainrule(command, "--help").out):
        words = shlex.split(line.partition(" > ")[0])
        assert words[0] == "chainrule"
        app.parse_args(words[1:])  # raises where an option does not exist


def test_choices_are_those_of_the_registries(chainrule):
    from chainrule.nn import LOSSES, METRICS
    from chainrule.optim import OPTIMIZERS, SCHEDULES

    text = " ".join(chainrule("train", "--help").out.replace("│", " ").split())
    for registry in (LOSSES, METRICS, OPTIMIZERS, SCHEDULES):
        assert ", ".join(registry) in text


def test_no_words_at_all_show_help(chainrule):
    assert "Start here" in chainrule().out


def test_version(chainrule):
    from importlib.metadata import version

    assert chainrule("--version").out.strip() == version("chainrule")


def test_help_loads_no_command(shell):
    code = (
        "import json, sys; from chainrule.cli import main; main(['--help']); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    heavy = {"chainrule.nn", "chainrule.train", "chainrule.cli.train", "msgspec", "polars"}
    assert not loaded & heavy
