"""What a learner's function wants to be called with: its arguments' names say what they are."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.functions.cases import Case
from chainrule.explanation.checking.functions.conventions import Layout
from chainrule.explanation.checking.functions.reading import Path
from chainrule.explanation.trace import Array

Which = tuple[int, str]
"""A layer, and whether its weight or its bias is meant."""

_KINDS = {
    "input": r"(x|xs|x_?train|x_?batch|inputs?|features|data|a0|images?|batch_x|input_data)",
    "target": r"(y|ys|y_?train|y_?batch|t|ts|y_?true|targets?|labels?|desired|batch_y|expected)",
    "weights": r"(w|ws|weights?|all_weights|theta_?w|thetas)",
    "biases": r"(b|bs|biase?s?|bias|all_biases|theta_?b)",
    "together": r"(params?|parameters|theta|model|network|net|weights_and_biases|layers)",
    "rate": r"(lr|eta|alpha|learning_?rate|rate|step_?size|l_?rate)",
    "case": "case",
    "sums": r"(zs|pre_?activations|all_zs)",
    "activations": r"(activations|acts|all_activations|a_?s)",
    "cache": r"(caches?|memory|forward_cache|state)",
    "output": r"(y_?hat|y_?pred|outputs?|out|o|predictions?|probs|probabilities|a_?out|al)",
    "count": r"(m|n_?samples|batch_?size|num_examples|n_?examples)",
    "penalty": r"(lambd|lambda|lam|lmbda|reg|reg_?lambda|l2|l2_?lambda|weight_?decay)",
    "once": r"(epochs?|n_?epochs|num_?epochs|iterations?|n_?iter|num_?iterations|n_?iters|iters)",
    "sizes": r"(sizes|layer_?sizes|layers?_?dims?|dims)",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}
RATE = _PATTERNS["rate"]
"""A learning rate, by its name."""
WEIGHT = re.compile(
    r"(?:d|grad|nabla|delta|new)?_?(?:w|weights?|theta|syn)_?(\d+)(?:_?(?:new|grad))?"
)
"""A weight, or its gradient, of a layer that has a number."""
BIAS = re.compile(r"(?:d|grad|nabla|delta|new)?_?(?:b|bias(?:es)?)_?(\d+)(?:_?(?:new|grad))?")
_HIDDEN = r"(?:h|hidden|ih|i_h|xh|input_hidden|input_to_hidden|in)"
_OUTPUT = r"(?:o|out|output|ho|h_o|hy|hidden_output|hidden_to_output)"
# Two layers are often called by what they are: W_hidden and W_out, weights_ih and weights_ho.
_NAMED = tuple(
    (kind, layer, re.compile(rf"(?:{letters})_?{name}|{name}_(?:{letters})"))
    for kind, letters in (("weight", "w|weights?"), ("bias", "b|bias(?:es)?"))
    for layer, name in ((1, _HIDDEN), (2, _OUTPUT))
)
_NUMBERED = (
    ("weight", WEIGHT),
    ("bias", BIAS),
    ("weighted sum", re.compile(r"z_?(\d+)")),
    ("activation", re.compile(r"(?:a|h)_?(\d+)")),
)
_TOGETHER = ("dict", "pairs", "flat", "dicts")

_KNOWN = "x, y, weights, biases, params, W1, b1, W2, b2, ..., learning_rate, or one argument, case"


@dataclass(frozen=True)
class Role:
    """What an argument is for.

    Parameters
    ----------
    argument : str
    kind : str
    layer : int, optional
        Of an argument that is of one layer.
    shape : str
        Of one that holds all weights and biases: a dict, pairs, a flat list, dicts.
    """

    argument: str
    kind: str
    layer: int | None = None
    shape: str = ""


@dataclass(frozen=True)
class Form:
    """The arguments of a function, in their order.

    Parameters
    ----------
    roles : tuple of Role
    positional : int
        How many of them are passed by their position; the others by their names.
    """

    roles: tuple[Role, ...]
    positional: int

    @property
    def forms(self) -> tuple[Form, ...]:
        """The form itself, and others in which the same arguments are something else.

        A ``w`` may be no list but one layer's weight, and ``params`` no dict but a list.
        """
        one = {"weights": "weight", "biases": "bias"}
        if self._has("together"):
            return tuple(
                self._with(lambda role, shape=shape: replace(role, shape=shape))  # type: ignore[misc]
                for shape in _TOGETHER
            )
        lists = [role for role in self.roles if role.kind in one]
        if not lists or any(role.argument.lower().endswith("s") for role in lists):
            return (self,)
        return self, self._with(
            lambda role: Role(role.argument, one[role.kind], 0) if role.kind in one else role
        )

    def _with(self, change: Callable[[Role], Role]) -> Form:
        return replace(self, roles=tuple(change(role) for role in self.roles))

    def _has(self, *kinds: str) -> bool:
        return any(role.kind in kinds for role in self.roles)

    @property
    def depth(self) -> int | None:
        """How many layers it is written for; None for any number."""
        layers = {role.layer for role in self.roles if role.layer is not None}
        return len(layers) or None

    @property
    def is_wrapped(self) -> bool:
        """Whether it takes the whole case, and makes of it what it wants."""
        return self._has("case")

    @property
    def has_rate(self) -> bool:
        """Whether it wants a learning rate: what it returns may be updated weights."""
        return self._has("rate")

    @property
    def has_biases(self) -> bool:
        """Whether the network has biases in this function."""
        return self._has("case", "together", "biases", "bias")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What has gradients."""
        return ("weight", "bias") if self.has_biases else ("weight",)

    def calling(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, called with all arguments by their positions."""
        names = [role.argument for role in self.roles[self.positional :]]

        def called(*given: Any) -> Any:
            named = dict(zip(names, given[self.positional :], strict=True))
            return function(*given[: self.positional], **named)

        return called

    def arguments(self, case: Case, layout: Layout, rate: float) -> dict[str, Any]:
        """What the function is called with."""
        return {role.argument: self._argument(role, case, layout, rate) for role in self.roles}

    def places(self, depth: int) -> dict[Which, Path]:
        """Where in the arguments a layer's weight is, and its bias."""
        found: dict[Which, Path] = {}
        for role in self.roles:
            name = role.argument
            if role.kind in ("weight", "bias"):
                found[role.layer or 0, role.kind] = (name,)
            for k in range(depth):
                if role.kind in ("weights", "biases"):
                    found[k, "weight" if role.kind == "weights" else "bias"] = (name, k)
                if role.kind == "together":
                    paths: dict[str, tuple[Path, Path]] = {
                        "dict": ((f"W{k + 1}",), (f"b{k + 1}",)),
                        "pairs": ((k, 0), (k, 1)),
                        "flat": ((2 * k,), (2 * k + 1,)),
                        "dicts": ((k, "W"), (k, "b")),
                    }
                    weight, bias = paths[role.shape or "dict"]
                    found[k, "weight"], found[k, "bias"] = (name, *weight), (name, *bias)
        return found

    def _argument(self, role: Role, case: Case, layout: Layout, rate: float) -> Any:
        k = role.layer or 0
        plain: dict[str, Callable[[], Any]] = {
            "case": lambda: case,
            "input": lambda: layout.data(case.x),
            "target": lambda: layout.targets(case.y),
            "rate": lambda: rate,
            "weights": lambda: [layout.weight(w) for w in case.weights],
            "biases": lambda: [layout.bias(b) for b in case.biases],
            "weight": lambda: layout.weight(case.weights[k]),
            "bias": lambda: layout.bias(case.biases[k]),
            "together": lambda: self._together(role, case, layout),
            "sums": lambda: [layout.data(z) for z in case.sums],
            "weighted sum": lambda: layout.data(case.sums[k]),
            "activations": lambda: [layout.data(a) for a in (case.x, *case.activations)],
            "activation": lambda: layout.data(case.activations[k]),
            "output": lambda: layout.data(case.activations[-1]),
            "cache": lambda: _cache(case, layout),
            "count": lambda: len(case.x),
            "penalty": lambda: 0.0,
            "once": lambda: 1,
            "sizes": lambda: list(case.sizes),
        }
        return plain[role.kind]()

    def _together(self, role: Role, case: Case, layout: Layout) -> Any:
        pairs = [
            (layout.weight(w), layout.bias(b))
            for w, b in zip(case.weights, case.biases, strict=True)
        ]
        match role.shape:
            case "pairs":
                return [list(pair) for pair in pairs]
            case "flat":
                return [array for pair in pairs for array in pair]
            case "dicts":
                return [{"W": w, "b": b} for w, b in pairs]
        numbered = enumerate(pairs, 1)
        return {f"{name}{i}": v for i, pair in numbered for name, v in zip("Wb", pair, strict=True)}


def _cache(case: Case, layout: Layout) -> dict[str, Array]:
    """What a forward pass hands to the backward pass, in capitals and without."""
    named = {f"A{i}": layout.data(a) for i, a in enumerate((case.x, *case.activations))}
    named |= {f"Z{i}": layout.data(z) for i, z in enumerate(case.sums, 1)}
    return named | {name.lower(): array for name, array in named.items()}


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
    name = name_of(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"The arguments of {name} cannot be read",
            advice="Wrap it: def backprop(x, y, weights, biases): return ...",
        ) from None
    roles: list[Role] = []
    positional: int | None = None
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = role_of(parameter.name)
        has_default = parameter.default is not parameter.empty
        if has_default and (role is None or _is_kept(parameter.default, role)):
            positional = len(roles) if positional is None else positional
            continue  # it has a value of its own
        if role is None:
            raise ConfigurationError(
                f"check_function does not know what to pass for {parameter.name} of "
                f"{name}{signature}",
                advice=f"Names that it knows: {_KNOWN}. Or wrap it: "
                "lambda case: my_backprop(case.x, case.y, case.weights, case.biases)",
            )
        if parameter.kind is parameter.KEYWORD_ONLY:
            positional = len(roles) if positional is None else positional
        roles.append(role)
    kinds = {role.kind for role in roles}
    if "case" not in kinds and not kinds & {"weights", "weight", "together"}:
        raise ConfigurationError(
            f"{name}{signature} takes no weights: it cannot be given a network",
            advice="Write def backprop(x, y, weights, biases), or wrap it: "
            "lambda case: my_backprop(case.x, case.y, case.weights, case.biases)",
        )
    return Form(_counted_from_zero(roles), len(roles) if positional is None else positional)


def name_of(function: Any) -> str:
    """What a function is called; of a partial, what it is made of."""
    function = getattr(function, "func", function)
    return getattr(function, "__name__", None) or type(function).__name__


def _is_kept(default: Any, role: Role) -> bool:
    """Whether an argument that has a value by itself keeps it: what a partial has filled in."""
    return default is not None and role.kind not in ("rate", "penalty", "once", "weights", "biases")


def role_of(argument: str) -> Role | None:
    """What an argument, or an attribute, is for, by its name; None if that says nothing."""
    lower = argument.lower().strip("_")
    for kind, pattern in _PATTERNS.items():
        if pattern.fullmatch(lower):
            return Role(argument, kind, shape="dict" if kind == "together" else "")
    for kind, pattern in _NUMBERED:
        if match := pattern.fullmatch(lower):
            return Role(argument, kind, int(match[1]))
    for kind, layer, pattern in _NAMED:
        if pattern.fullmatch(lower):
            return Role(argument, kind, layer)
    return None


def _counted_from_zero(roles: list[Role]) -> tuple[Role, ...]:
    """Layers by their order: W1 is the first, or W0."""
    numbers = sorted({role.layer for role in roles if role.layer is not None})
    return tuple(
        role if role.layer is None else replace(role, layer=numbers.index(role.layer))
        for role in roles
    )
