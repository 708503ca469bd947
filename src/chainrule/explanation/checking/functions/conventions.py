"""How a learner's function wants a network: which argument is what, and which axis.

Weights may be (out, in) or (in, out); examples rows, columns or single vectors; parameters lists,
dicts or arguments of their own. The arguments' names say what they are.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.functions.cases import Case
from chainrule.explanation.trace import Array

_INPUT = re.compile(r"(x|xs|x_?train|x_?batch|inputs?|features|data|a0|images?|batch_x)")
_TARGET = re.compile(r"(y|ys|y_?train|y_?batch|t|ts|y_?true|targets?|labels?|desired|batch_y)")
_WEIGHTS = re.compile(r"(w|ws|weights?|all_weights|theta_?w)")
_BIASES = re.compile(r"(b|bs|biase?s?|bias|all_biases|theta_?b)")
_TOGETHER = re.compile(r"(params?|parameters|theta|model|network|net|weights_and_biases|layers)")
_RATE = re.compile(r"(lr|eta|alpha|learning_?rate|rate|step_?size)")
WEIGHT = re.compile(r"(?:d|grad|nabla|delta|new)?_?(?:w|weights?|theta)_?(\d+)(?:_?(?:new|grad))?")
"""A weight, or its gradient, of a layer that has a number."""
BIAS = re.compile(r"(?:d|grad|nabla|delta|new)?_?(?:b|bias(?:es)?)_?(\d+)(?:_?(?:new|grad))?")

_KNOWN = "x, y, weights, biases, params, W1, b1, W2, b2, ..., learning_rate, or one argument, case"


@dataclass(frozen=True)
class Layout:
    """Which axis is which.

    Parameters
    ----------
    examples : {"rows", "columns", "vector", "column"}
        Of x and y: (m, n), (n, m), or with one example (n,) or (n, 1).
    weights : {"(out, in)", "(in, out)"}
    biases : {"(out,)", "(out, 1)", "(1, out)"}
    has_classes : bool
        Whether a target is the number of its class, and not a row with a 1 in it.
    """

    examples: str
    weights: str
    biases: str
    has_classes: bool = False

    def targets(self, array: Array) -> Any:
        """The targets of a batch, as this layout has them."""
        if not self.has_classes:
            return self.data(array)
        classes = array.argmax(axis=1)
        return int(classes[0]) if self.is_single else classes

    def data(self, array: Array) -> Array:
        """A batch, as this layout has it."""
        match self.examples:
            case "rows":
                return array.copy()
            case "vector":
                return np.array(array[0])
        return np.array(array.T)

    def weight(self, array: Array) -> Array:
        """A weight of shape (out, in)."""
        return array.copy() if self.weights == "(out, in)" else array.T.copy()

    def bias(self, array: Array) -> Array:
        """A bias of shape (out,)."""
        shapes = {"(out,)": (-1,), "(out, 1)": (-1, 1), "(1, out)": (1, -1)}
        return array.reshape(shapes[self.biases]).copy()

    @property
    def is_single(self) -> bool:
        """Whether there is one example at a time."""
        return self.examples in ("vector", "column")

    def __str__(self) -> str:
        """In words."""
        data = {
            "rows": "examples are rows",
            "columns": "examples are columns",
            "vector": "one example at a time",
            "column": "one example at a time, a column",
        }
        classes = ", targets are numbers of classes" if self.has_classes else ""
        return f"{data[self.examples]}, weights are {self.weights}, biases {self.biases}{classes}"


def layouts(form: Form, *, is_choice: bool = False) -> Iterator[Layout]:
    """Every layout that a form may be for, those of most code first.

    Parameters
    ----------
    form : Form
    is_choice : bool
        Whether a target is one of the outputs, so that it may be the number of a class.
    """
    if form.is_wrapped:
        yield Layout("rows", "(out, in)", "(out,)")
        return
    shapes = itertools.product(("(in, out)", "(out, in)"), ("(out,)", "(1, out)", "(out, 1)"))
    pairs = list(shapes)
    for has_classes in (False, True) if is_choice else (False,):
        for examples in ("rows", "columns", "vector", "column"):
            for weights, biases in pairs:
                yield Layout(examples, weights, biases, has_classes)


@dataclass(frozen=True)
class Role:
    """What an argument is for: its kind, and the layer where it is of one."""

    argument: str
    kind: str
    layer: int | None = None


@dataclass(frozen=True)
class Form:
    """The arguments of a function, in their order.

    Parameters
    ----------
    roles : tuple of Role
    """

    roles: tuple[Role, ...]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The form itself; and where W may be no list, that in which it is a layer's weight."""
        one = {"weights": "weight", "biases": "bias"}
        lists = [role for role in self.roles if role.kind in one]
        if not lists or any(role.argument.lower().endswith("s") for role in lists):
            return (self,)
        single = (
            Role(role.argument, one[role.kind], 0) if role.kind in one else role
            for role in self.roles
        )
        return self, Form(tuple(single))

    @property
    def depth(self) -> int | None:
        """How many layers it is written for; None for any number."""
        count = sum(role.kind == "weight" for role in self.roles)
        return count or None

    @property
    def is_wrapped(self) -> bool:
        """Whether it takes the whole case, and makes of it what it wants."""
        return any(role.kind == "case" for role in self.roles)

    @property
    def has_rate(self) -> bool:
        """Whether it wants a learning rate: what it returns may be updated weights."""
        return any(role.kind == "rate" for role in self.roles)

    def arguments(self, case: Case, layout: Layout, rate: float) -> dict[str, Any]:
        """What the function is called with."""
        return {role.argument: self._argument(role, case, layout, rate) for role in self.roles}

    def _argument(self, role: Role, case: Case, layout: Layout, rate: float) -> Any:
        weights = [layout.weight(w) for w in case.weights]
        biases = [layout.bias(b) for b in case.biases]
        match role.kind:
            case "case":
                return case
            case "input":
                return layout.data(case.x)
            case "target":
                return layout.targets(case.y)
            case "rate":
                return rate
            case "weights":
                return weights
            case "biases":
                return biases
            case "weight":
                return weights[role.layer or 0]
            case "bias":
                return biases[role.layer or 0]
        pairs = enumerate(zip(weights, biases, strict=True), 1)
        return {f"{k}{i}": v for i, (w, b) in pairs for k, v in (("W", w), ("b", b))}


def form_of(function: Callable[..., Any]) -> Form:
    """Read what a function wants from the names of its arguments.

    Raises
    ------
    ConfigurationError
        If an argument's name says nothing.
    """
    if not callable(function):
        raise ConfigurationError(
            f"check_function takes a function; got {type(function).__name__}",
            advice="Pass the function itself: cr.check_function(my_backprop)",
        )
    name = getattr(function, "__name__", "the function")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"The arguments of {name} cannot be read",
            advice="Wrap it: def backprop(x, y, weights, biases): return ...",
        ) from None
    roles: list[Role] = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = _role(parameter.name)
        if role is None and parameter.default is not parameter.empty:
            continue  # it has a value of its own
        if role is None or parameter.kind is parameter.KEYWORD_ONLY:
            raise ConfigurationError(
                f"check_function does not know what to pass for {parameter.name} of "
                f"{name}{inspect.signature(function)}",
                advice=f"Names that it knows: {_KNOWN}. Or wrap it: "
                "lambda case: my_backprop(case.x, case.y, case.weights, case.biases)",
            )
        roles.append(role)
    kinds = {role.kind for role in roles}
    if "case" not in kinds and not kinds & {"weights", "weight", "together"}:
        raise ConfigurationError(
            f"{name}{inspect.signature(function)} takes no weights: it cannot be given a network",
            advice="Write def backprop(x, y, weights, biases), or wrap it: "
            "lambda case: my_backprop(case.x, case.y, case.weights, case.biases)",
        )
    return Form(_counted_from_zero(roles))


def _role(argument: str) -> Role | None:
    lower = argument.lower().strip("_")
    kinds = {
        "input": _INPUT, "target": _TARGET, "weights": _WEIGHTS, "biases": _BIASES,
        "together": _TOGETHER, "rate": _RATE, "case": re.compile("case"),
    }  # fmt: skip
    for kind, pattern in kinds.items():
        if pattern.fullmatch(lower):
            return Role(argument, kind)
    for kind, pattern in (("weight", WEIGHT), ("bias", BIAS)):
        if match := pattern.fullmatch(lower):
            return Role(argument, kind, int(match[1]))
    return None


def _counted_from_zero(roles: list[Role]) -> tuple[Role, ...]:
    """Layers by their order: W1 is the first, or W0."""
    numbers = sorted({role.layer for role in roles if role.layer is not None})
    return tuple(
        role if role.layer is None else Role(role.argument, role.kind, numbers.index(role.layer))
        for role in roles
    )
