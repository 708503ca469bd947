"""One class for each kind of failure, all built the same way.

An error says what was expected and what came (the message), where (op, layer, the user's
line), and what to do next (the advice).  `str(error)` is those three, as sentences on one line::

    Linear(in_features=12) got x of shape (32, 10): its last axis is 10. Line 41 of train.py,
    layer "encoder.0". Did you mean in_features=10?

A class also inherits the built-in exception that a Python programmer would catch: a wrong shape is
a `ValueError`, an unknown name a `KeyError`.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_NAMES_LISTED_AT_MOST = 20


class ChainruleError(Exception):
    """The base of every error that chainrule raises on purpose.

    Parameters
    ----------
    message
        What was expected and what came, as one sentence. Its full stop may be left out.
    where
        The place: file and row, op, layer, the user's line. Shown as given.
    advice
        What to do next.
    """

    def __init__(
        self, message: str, *, where: str | None = None, advice: str | None = None
    ) -> None:
        # Only the message goes to `args`; `where` and `advice` live in `__dict__`, which is how
        # pickle and copy carry them, so an error crosses a process boundary whole.
        super().__init__(message)
        self.message = message
        self.where = where
        self.advice = advice

    # KeyError quotes its message and OSError wants an errno: all of ours read alike.
    def __str__(self) -> str:
        parts = (self.message, self.where, self.advice)
        return " ".join(_sentence(part) for part in parts if part)


class ShapeError(ChainruleError, ValueError):
    """Shapes do not fit together."""


class DTypeError(ChainruleError, TypeError):
    """An array has the wrong element type, or two arrays have types that do not mix."""


class NameNotFoundError(ChainruleError, KeyError):
    """Nothing has this name: an op, a layer, a parameter, a column, a file's key."""

    @classmethod
    def among(
        cls, kind: str, name: object, candidates: Iterable[str], *, where: str | None = None
    ) -> "NameNotFoundError":
        """Return the error for a `name` that is none of `candidates`, with the nearest of them.

        Parameters
        ----------
        kind
            What is being named, in the singular: ``"optimizer"``.
        name
            What was asked for.
        candidates
            The names there are, in the order to list them in.
        where
            The place, if it helps.

        Examples
        --------
        >>> print(NameNotFoundError.among("optimizer", "adm", ["sgd", "adam"]))
        No optimizer is named "adm". Did you mean "adam"? There are: sgd, adam.
        """
        known = list(candidates)
        advice = f"There are: {listed(known)}." if known else "There are none yet."
        suggestion = did_you_mean(name, known)
        if suggestion is not None:
            advice = f"{suggestion} {advice}"
        shown = f'"{name}"' if isinstance(name, str) else repr(name)
        return cls(f"No {kind} is named {shown}", where=where, advice=advice)

    @classmethod
    def of_pattern(cls, pattern: str, owner: str, paths: Sequence[str]) -> "NameNotFoundError":
        """Return the error for a pattern of `owner` that matches none of the parameters' paths.

        Examples
        --------
        >>> print(NameNotFoundError.of_pattern("*.wieght", "groups", ["0.weight", "0.bias"]))
        The pattern "*.wieght" of groups matches no parameter that is trained. Did you mean \
"*.weight"? There are: 0.weight, 0.bias.
        """
        endings = dict.fromkeys("*." + path.rpartition(".")[2] for path in paths if "." in path)
        parts = (did_you_mean(pattern, [*endings, *paths]), f"There are: {listed(paths)}")
        return cls(
            f'The pattern "{pattern}" of {owner} matches no parameter that is trained',
            advice=" ".join(filter(None, parts)),
        )


class DuplicateNameError(ChainruleError, ValueError):
    """A name is taken already."""


class GraphError(ChainruleError, ValueError):
    """A graph is malformed: an input comes after its use, a name twice, a shape that is wrong."""


class ParseError(ChainruleError, ValueError):
    """Text does not follow the grammar it should: a printed graph, an expression."""


class NotDifferentiableError(ChainruleError, TypeError):
    """A derivative was asked of something that has none."""


class GradientError(ChainruleError, AssertionError):
    """A gradient is not what finite differences say."""


class ConformanceError(ChainruleError, AssertionError):
    """An op or a backend does not do what the op's declaration says."""


class MissingKernelError(ChainruleError, NotImplementedError):
    """A backend has no kernel for an op. Nothing falls back in silence."""


class TracingError(ChainruleError, TypeError):
    """Python needed the value of something that is only being traced, or let it escape."""


class NonFiniteError(ChainruleError, ArithmeticError):
    """NaN or infinity, in data or in training."""


class DataError(ChainruleError, ValueError):
    """Data cannot be used as it is: missing values, ragged rows, lengths that differ."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A data set is not where chainrule looks."""


class FolderNotFoundError(ChainruleError, FileNotFoundError):
    """There is no folder to write a file in."""


class TargetError(DataError):
    """Targets are of a kind or in a range that the loss cannot use."""


class OutputError(ChainruleError, ValueError):
    """A network's outputs are nothing that the loss can compare, such as a probability above 1."""


class TrainingError(ChainruleError, RuntimeError):
    """Training could never update anything, or cannot go on."""


class NotEnoughMemoryError(ChainruleError, MemoryError):
    """Something would take more memory than there is."""


class ConfigurationError(ChainruleError, ValueError):
    """An option, a keyword or an entry of an experiment file has a value it cannot have."""


class FileFormatError(ChainruleError, ValueError):
    """A file is not what its format says: truncated, malformed, or larger than allowed."""


class ReplayError(ChainruleError, RuntimeError):
    """A run folder does not match what it should be replayed with."""


class MissingExtraError(ChainruleError, ImportError):
    """A feature needs an optional dependency that is not installed."""


def nearest(name: object, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `name` was most likely meant to be, or None if none is close.

    Letter case is ignored when the spelling is compared.

    Examples
    --------
    >>> nearest("Sigmod", ["tanh", "sigmoid"])
    'sigmoid'
    >>> nearest("relu", ["tanh", "sigmoid"]) is None
    True
    """
    if not isinstance(name, str):
        return None
    by_spelling: dict[str, str] = {}
    for candidate in candidates:
        by_spelling.setdefault(candidate.casefold(), candidate)
    close = get_close_matches(name.casefold(), by_spelling, n=1, cutoff=0.6)
    return by_spelling[close[0]] if close else None


def did_you_mean(name: object, candidates: Iterable[str]) -> str | None:
    """Return the question `Did you mean "…"?` with the nearest candidate, or None.

    Examples
    --------
    >>> did_you_mean("Sigmod", ["tanh", "sigmoid"])
    'Did you mean "sigmoid"?'
    """
    found = nearest(name, candidates)
    return None if found is None else f'Did you mean "{found}"?'


def listed(names: Sequence[str]) -> str:
    """Return the names for a message, separated by commas; only the first 20 of many.

    Examples
    --------
    >>> listed(["sgd", "adam"])
    'sgd, adam'
    """
    shown = ", ".join(names[:_NAMES_LISTED_AT_MOST])
    left_out = len(names) - _NAMES_LISTED_AT_MOST
    return f"{shown} and {left_out} more" if left_out > 0 else shown


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
