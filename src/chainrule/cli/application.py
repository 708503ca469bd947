"""The App behind ``chainrule``: its commands, and what becomes of errors.

Exit status: 0 if all went well; 2 if something has to be changed before it can (one line on
standard error says what); 130 after Ctrl-C; 141 if nobody reads the output any more; 1 for a bug of
chainrule's, and where `check` finds that something is not right.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from chainrule.base.errors import ChainruleError
from chainrule.base.harmless import plain

FAILED, REFUSED, INTERRUPTED, NOT_READ = 1, 2, 130, 141


def _version() -> str:
    from importlib.metadata import version

    return version("chainrule")


app = App(
    name="chainrule",
    help="Train neural networks, and open any number that training produced.",
    help_epilogue="""Start here:
  chainrule demo              learn handwritten digits, then open one gradient
  chainrule train iris        train on a data set by name, or on your CSV file
  chainrule explain 2-2-2 w5  open a number: a textbook's derivation of a weight
  chainrule train --help      every command explains itself, with examples

Exit status: 0 done, 2 something has to be changed first, 130 after Ctrl-C.""",
    help_format="plaintext",
    default_parameter=Parameter(show_default=False),
    group_parameters="Options",
    version=_version,
    version_format="plaintext",
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
    verbose=False,
)

# What a command is for stands here, because `chainrule --help` must not load the commands.
PURPOSES = {
    "demo": """Train on handwritten digits, then open one weight's gradient.

A small network learns to read 1,797 real handwritten digits, three times from
different beginnings, and is measured on digits that it has never seen. Then one
number that made it learn is taken apart into the products it is the sum of.""",
    "train": """Train a network on a data set, a CSV file, or an experiment file.

SOURCE is a name that `chainrule data` lists (iris, digits, mnist, moons, ...),
a CSV file with a header, a worked example (2-2-2, xor-2-3-1), or a TOML file
that says all of this. What you leave open is decided by the data and printed.
One example in five is held out, so that the result can be believed.""",
    "predict": """Ask a trained network about new examples.

MODEL is a model file, or the folder of a run. The examples come from a CSV file
(its columns are found by their names), from a data set by name, or from --row.
Inputs are prepared as they were in training; classes are called by their names.""",
    "evaluate": """Measure a trained network on examples whose answers are known.

MODEL is a model file, or the folder of a run. Without DATA it is measured on
the examples that were held out when it was trained; DATA is a CSV file with the
target column, or a data set by name.""",
    "explain": """Open any number of a training step into what it was computed from.

SOURCE is what `chainrule train` would learn from, the folder of a run, or a
saved trace. NUMBER is a name such as w5 (of 2-2-2), 0.weight[3,7], 1.out[0,2]
or d_2.bias[0]. What is shown ends with two proofs: the number computed again,
and a finite difference of the loss. Without NUMBER: what there is to open.""",
    "diff": """Compare two training steps, or two runs, value by value.

A and B are saved traces, or the folders of two runs, which are followed to the
first step that is not the same. What rounding explains is told from a
difference; the first value that differs is named, and opened on both sides.""",
    "check": """Check gradients that you computed yourself, and name the mistake.

SOURCE is what `chainrule train` would learn from, the folder of a run, or a
saved trace. FILE holds your numbers by name (.csv, .json, .npz, .safetensors):
gradients, errors, activations or updated weights, rounded or not, all or some.
Exit status: 0 if they are right, 1 if not, 2 if that cannot be said.""",
    "doctor": """Say what is wrong with a training, and what to change.

SOURCE is what `chainrule train` would learn from, and is looked at before it is
trained: the data, the loss, a captured step, some trial steps on a copy. Or it
is the folder of a run, and is looked at as it went. What is found comes with
its causes and their numbers; what follows from another stands below it.""",
    "exercise": """Make an exercise in backpropagation for paper, with its key.

A small network with round numbers, blanks to fill in, the worked solution, and
a file for answers that `chainrule grade` reads. Another seed, other numbers:
such that no gradient vanishes and common mistakes give different answers.""",
    "grade": """Grade answers to an exercise: points, and the mistakes by name.

ANSWERS are files that `chainrule exercise --answers` began and learners filled
in, or a folder of them; a class comes out as one table. A number that follows
rightly from a wrong one before it counts. Nothing in a file is ever run.""",
    "inspect": """Show what a training step is compiled into, stage by stage.

SOURCE is what `chainrule train` would learn from. Its step is a graph; that
becomes kernels (loops over buffers), a plan of memory, LLVM's IR and machine
code. Nothing is trained. --kernel shows what a stage has of one kernel.""",
    "diagram": """Draw a network, or the graph that it computes, as SVG.

SOURCE is what `chainrule train` would learn from, a model file or a run. Small
networks are drawn with every neuron and weight, others with their modules; with
--graph, every value of a forward pass or of a training step, backward included.""",
    "data": """List the data sets, where they are, and how to get what is missing.

Some come with chainrule, some are made on demand, and some are read from files
that you have. A NAME shows one of them: its options, its first rows.""",
    "cache": """Show where compiled code is kept, and how much there is.

A network is compiled for this processor when it is first trained, and what
comes of it is kept, so that the next training begins at once. What was not used
for the longest time makes room for what is new; all of it can be removed any
time. The variable CHAINRULE_CACHE names another folder, or says "off".""",
}

for _order, (_name, _purpose) in enumerate(PURPOSES.items()):
    app.command(f"chainrule.cli.{_name}:command", name=_name, help=_purpose, sort_key=_order)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    words : sequence of str, optional
        What follows ``chainrule``; by default what the process was started with.

    Returns
    -------
    int
        The exit status.
    """
    words = sys.argv[1:] if words is None else list(words)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a terminal that has no σ shows a question mark
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    status = REFUSED
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # `chainrule data | head`
        status = NOT_READ
        _forget_output()
    except OSError as error:  # `chainrule data > /dev/full`
        if status != REFUSED:
            _complain(_one_line(error))
        status = REFUSED
        _forget_output()
    return status


def _forget_output() -> None:
    """Let what is still to be written go nowhere, so that Python does not try it again at exit."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: Sequence[str]) -> int:
    try:
        status = app(words)
        return status if isinstance(status, int) else 0
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        _complain("Interrupted.")
        return INTERRUPTED
    except CycloptsError as error:
        _show_traceback_if_wanted(words)
        _complain(f"{_one_line(error)} `{_help_for(words)}` shows what there is.")
        return REFUSED
    except (ChainruleError, OSError, MemoryError) as error:
        _show_traceback_if_wanted(words)
        _complain(_one_line(error))
        return REFUSED
    except Exception as error:
        _show_traceback_if_wanted(words)
        _complain(
            f"{type(error).__name__}: {_one_line(error)} This is a mistake in chainrule, not "
            "yours: please report it, with what --debug shows."
        )
        return FAILED


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _complain(_one_line(Warning(str(message))))


def _complain(text: str) -> None:
    print(f"chainrule: {plain(text)}", file=sys.stderr)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ChainruleError):
        # Windows and Unix both know the reason; the path is what the user can act on.
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = str(error) or "There is not enough memory"
    else:
        text = str(error)
    text = " ".join(text.split()) or type(error).__name__
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _help_for(words: Sequence[str]) -> str:
    command = next((word for word in words if word in app and not word.startswith("-")), None)
    return f"chainrule {command} --help" if command else "chainrule --help"


def _show_traceback_if_wanted(words: Sequence[str]) -> None:
    if "--debug" in words:
        import traceback

        traceback.print_exc()
