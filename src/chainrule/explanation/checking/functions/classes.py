"""A learner's network written as a class: made for each network, and given its numbers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.functions.apart import Apart
from chainrule.explanation.checking.functions.arguments import RATE, role_of
from chainrule.explanation.checking.functions.reading import read

_BACKWARD = re.compile(
    r"_?(back_?prop(agat(e|ion))?|back(ward)?(_?(pass|propagat(e|ion)|prop))?"
    r"|(compute_?|get_?)?grad(ient)?s?|train_?step|train_?on_?batch|update(_mini_batch)?)"
)
_FORWARD = re.compile(r"_?(feed_?)?forward(_?(pass|propagat(e|ion)|prop))?")
_ADVICE = (
    "Wrap it in a function: def backprop(x, y, weights, biases): net = Network(sizes); "
    "net.weights, net.biases = weights, biases; return net.backprop(x, y)"
)


def is_class_or_method(given: Any) -> bool:
    """Whether what is to be checked is a class, or a method of a network that holds its weights."""
    if inspect.isclass(given):
        return True
    if not inspect.ismethod(given) or inspect.isclass(given.__self__):
        return False
    kinds = {role.kind for name in inspect.signature(given).parameters if (role := role_of(name))}
    return not kinds & {"case", "weights", "weight", "together"}


def as_function(given: Any, seconds: float) -> Callable[..., Any]:
    """A class, or a method of it, as a function of a batch, the weights and the biases.

    Parameters
    ----------
    given : class or bound method
    seconds : float
        For making a network.

    Raises
    ------
    ConfigurationError
        If it is not known how to make such a network, where it has its weights, or which method
        is the backward pass.
    """
    kind = given if inspect.isclass(given) else type(given.__self__)
    name = _method(kind, _BACKWARD) if inspect.isclass(given) else given.__name__
    if name is None:
        raise ConfigurationError(
            f"{kind.__name__} has no method called backprop or backward: check_function does not "
            "know what to call",
            advice="Pass the method: cr.check_function(Network([2, 3, 1]).backprop). " + _ADVICE,
        )
    learners = _Learners(kind, name, _method(kind, _FORWARD))
    learners.check(seconds)

    def backprop(x: Any, y: Any, weights: Any, biases: Any, learning_rate: Any) -> Any:
        return learners.call(x, y, weights, biases, learning_rate)

    def without_rate(x: Any, y: Any, weights: Any, biases: Any) -> Any:
        return learners.call(x, y, weights, biases, None)

    function = backprop if learners.has_rate else without_rate
    function.__name__ = f"{kind.__name__}.{name}"
    return function


def _method(kind: type, pattern: re.Pattern[str]) -> str | None:
    """The first method with such a name, in the order in which they are written."""
    names = (name for each in kind.__mro__ for name in vars(each))
    return next((n for n in names if pattern.fullmatch(n) and callable(getattr(kind, n))), None)


@dataclass(frozen=True)
class _Slot:
    """Where a network keeps the weight of a layer, or its bias.

    Parameters
    ----------
    holder : object, list or dict
    key : str or int
    kind : {"weight", "bias"}
    """

    holder: Any
    key: str | int
    kind: str

    def get(self) -> Any:
        if isinstance(self.holder, list | dict):
            return self.holder[self.key]  # type: ignore[index]
        return getattr(self.holder, str(self.key))

    def set(self, value: Any) -> None:
        if isinstance(self.holder, list | dict):
            self.holder[self.key] = value  # type: ignore[index]
        else:
            setattr(self.holder, str(self.key), value)


@dataclass(frozen=True)
class _Learners:
    """A learner's class, its backward pass, and its forward pass where that is one of its own."""

    kind: type
    backward: str
    forward: str | None

    def check(self, seconds: float) -> None:
        """Raise ConfigurationError if a network of it cannot be made, or has no weights."""
        # One that does not come to an end is met where it can be ended.
        alone = Apart(lambda: self._made([2, 3, 4], 0.5) and None, seconds).call({})
        if alone is not None and alone.is_last:
            raise ConfigurationError(
                f"Making a {self.kind.__name__} with the layers [2, 3, 4] {alone.trouble}",
                advice=_ADVICE,
            )
        net = self._made([2, 3, 4], 0.5)
        slots = list(_slots(net))
        if sum(slot.kind == "weight" for slot in slots) != 2:
            names = ", ".join(vars(net)) if hasattr(net, "__dict__") else ""
            raise ConfigurationError(
                f"{self.kind.__name__} keeps its weights where check_function does not find them; "
                f"it has {names or 'no attributes'}",
                advice="Names that it knows: weights and biases, W1, b1, W2, b2, params, or layers "
                "with W and b. " + _ADVICE,
            )
        self._arguments(getattr(net, self.backward), {})

    @property
    def has_rate(self) -> bool:
        """Whether the network has a learning rate, so that it may make an update."""
        net = self._made([2, 3, 4], 0.5)
        names = [*vars(net), *inspect.signature(getattr(net, self.backward)).parameters]
        return any(RATE.fullmatch(name.lower().strip("_")) for name in names)

    def _made(self, sizes: list[int], rate: Any) -> Any:
        """A network with such layers.

        Raises
        ------
        ConfigurationError
            If it is not known what the class is made from.
        """
        name = self.kind.__name__
        parameters = inspect.signature(self.kind).parameters.values()
        needed = [
            each.name
            for each in parameters
            if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
        ]
        rates = [each for each in needed if RATE.fullmatch(each.lower())]
        others = [each for each in needed if each not in rates]
        given: dict[str, Any] = dict.fromkeys(rates, rate)
        if len(others) == 1:
            given[others[0]] = sizes
        elif len(others) == len(sizes):
            given |= dict(zip(others, sizes, strict=True))
        elif others:
            raise ConfigurationError(
                f"check_function does not know how to make a {name}"
                f"{inspect.signature(self.kind)} with the layers {sizes}",
                advice="A list of sizes, or one size for each layer. " + _ADVICE,
            )
        try:
            return self.kind(**given)
        except Exception as error:
            raise ConfigurationError(
                f"{name} could not be made with the layers {sizes}: "
                f"{type(error).__name__}: {error!s:.200}",
                advice=_ADVICE,
            ) from None

    def call(self, x: Any, y: Any, weights: Any, biases: Any, rate: Any) -> Any:
        """Make a network, give it its numbers, and let it go backward."""
        sizes = _sizes(x, weights)
        net = self._made(sizes, rate)
        for name in list(vars(net)):
            if rate is not None and RATE.fullmatch(name.lower().strip("_")):
                setattr(net, name, rate)
        slots = list(_slots(net))
        for kind, arrays in (("weight", weights), ("bias", biases)):
            mine = [slot for slot in slots if slot.kind == kind]
            for slot, array in zip(mine, arrays, strict=kind == "weight"):
                slot.set(array.copy())
        given = {"input": x, "target": y, "rate": rate}
        if self.forward is not None and self.forward != self.backward:
            given["output"] = getattr(net, self.forward)(x)
        backward = getattr(net, self.backward)
        returned = backward(**self._arguments(backward, given))
        if any(array.ndim for array in read(returned).arrays.values()):
            return returned
        return _left(net, slots, [*weights, *biases])

    def _arguments(self, method: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
        """What a method is called with, by its arguments' names.

        Raises
        ------
        ConfigurationError
            If a name says nothing.
        """
        found: dict[str, Any] = {}
        for parameter in inspect.signature(method).parameters.values():
            role = role_of(parameter.name)
            if role is None or role.kind not in ("input", "target", "rate", "output"):
                if parameter.default is not parameter.empty or parameter.kind in (
                    parameter.VAR_POSITIONAL,
                    parameter.VAR_KEYWORD,
                ):
                    continue
                raise ConfigurationError(
                    f"check_function does not know what to pass for {parameter.name} of "
                    f"{self.kind.__name__}.{method.__name__}",
                    advice=_ADVICE,
                )
            found[parameter.name] = given.get(role.kind)
        return found


def _sizes(x: Any, weights: Any) -> list[int]:
    """The layers' sizes, whichever way round the weights are."""
    shapes = [weight.shape for weight in weights]
    first = x.shape[-1] if x.shape[-1] in shapes[0] else x.shape[0]
    if len(shapes) > 1:
        # Of two layers' weights one size is the same: that of the layer between them.
        shared = set(shapes[0]) & set(shapes[1])
        outer = [size for size in shapes[0] if size not in shared]
        first = outer[0] if outer else first
    sizes = [first]
    for a, b in shapes:
        sizes.append(b if a == sizes[-1] else a)
    return [int(size) for size in sizes]


def _slots(net: Any) -> Iterator[_Slot]:
    """Where a network keeps its weights and biases, from the first layer to the last."""
    found: list[tuple[int, _Slot]] = []
    for name, value in vars(net).items():
        role = role_of(name)
        kind = role.kind if role is not None else ""
        if kind in ("weights", "biases") and isinstance(value, list):
            single = {"weights": "weight", "biases": "bias"}[kind]
            found += [(i, _Slot(value, i, single)) for i in range(len(value))]
        elif kind in ("weight", "bias") and isinstance(value, np.ndarray):
            found.append((role.layer or 0 if role else 0, _Slot(net, name, kind)))
        elif isinstance(value, dict):
            inner = ((key, role_of(key)) for key in value if isinstance(key, str))
            found += [
                (each.layer or 0, _Slot(value, key, each.kind))
                for key, each in inner
                if each is not None and each.kind in ("weight", "bias")
            ]
        elif isinstance(value, list):
            found += [(i, slot) for i, layer in enumerate(value) for slot in _of_layer(layer)]
    yield from (slot for _, slot in sorted(found, key=lambda each: each[0]))


def _of_layer(layer: Any) -> Iterator[_Slot]:
    """Where a layer that is an object, or a dict, keeps its weight and its bias."""
    holds = layer if isinstance(layer, dict) else getattr(layer, "__dict__", {})
    for key, value in holds.items():
        role = role_of(key) if isinstance(key, str) else None
        kinds = {"weights": "weight", "weight": "weight", "biases": "bias", "bias": "bias"}
        if role is not None and role.kind in kinds and isinstance(value, np.ndarray):
            yield _Slot(layer, key, kinds[role.kind])


def _left(net: Any, slots: list[_Slot], given: list[Any]) -> Any:
    """What a method that returns nothing leaves in its network: new weights, or gradients."""
    now = {kind: [s.get() for s in slots if s.kind == kind] for kind in ("weight", "bias")}
    every = [*now["weight"], *now["bias"]]
    if not all(np.array_equal(a, b) for a, b in zip(every, given, strict=False)):
        return now["weight"], now["bias"]
    own = {id(array) for array in every}
    found: dict[str, Any] = {}
    stack: list[tuple[str, Any]] = list(vars(net).items())[::-1]
    while stack:
        name, value = stack.pop()
        if isinstance(value, np.ndarray) and value.dtype != object:
            if id(value) not in own:
                found[name] = value
        elif isinstance(value, dict):
            stack += [(f"{name}_{key}", each) for key, each in value.items()][::-1]
        elif isinstance(value, list | tuple):
            stack += [(f"{name}_{i}", each) for i, each in enumerate(value)][::-1]
        elif hasattr(value, "__dict__") and not callable(value):
            stack += [(f"{name}_{key}", each) for key, each in vars(value).items()][::-1]
    # Keys that say what they are come alone: dW1, and not the activations beside it.
    named = {
        key: array for key, array in found.items() if re.match(r"d[wb_]|grad|nabla", key.lower())
    }
    return named or found
