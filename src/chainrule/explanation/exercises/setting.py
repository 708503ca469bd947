"""What an exercise is made of, as one line of text from which it can be made again."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from inspect import signature

from chainrule.base.errors import ChainruleError, ConfigurationError, FileFormatError
from chainrule.base.harmless import plain
from chainrule.nn import LAYERS, LOSSES, Linear, Loss, Module, RReLU, Sequential
from chainrule.nn.activations import Activation

NONE = "none"
"""What stands for no activation."""

LARGEST = {
    "layers": 6,
    "units in a layer": 16,
    "examples": 8,
    "significant digits": 9,
    "values asked for": 64,
}
"""What is still done by hand; a file that says more is refused before anything is computed."""

_LAST = {
    "probabilities": "Sigmoid",
    "log-probabilities": "LogSoftmax",
    "logits": NONE,
    "binary logits": NONE,
    "log-values": NONE,
    "scores": NONE,
    "signs": NONE,
}
_HAND_MADE = ("values", "classes", "zeros and ones", "signs")
_NETWORK = re.compile(r"\d{1,6}(-\d{1,6})+")
_CODE = re.compile(r"(?P<network>[\d-]+)(?P<rest>(?:\s+[a-z_]+=\S+)*)")


@dataclass(frozen=True)
class Setting:
    """All that an exercise is made of.

    Parameters
    ----------
    sizes : tuple of int
        How many numbers go in, and how many units each layer has.
    activations : tuple of str
        What each layer ends with, by its name in the registry of layers; ``"none"``.
    loss : str
        By its name in the registry of losses.
    examples : int
        In the batch.
    learning_rate : float or None
        Of one step of plain gradient descent; None where nothing is updated.
    ask : tuple of str
        Which values are asked for.
    digits : int
        How many significant digits.
    seed, draw : int
        Which numbers: of those that a seed gives, the first that tell mistakes apart.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    examples: int = 1
    learning_rate: float | None = None
    ask: tuple[str, ...] = ()
    digits: int = 4
    seed: int = 0
    draw: int = 0

    def __post_init__(self) -> None:
        _check(self)

    @property
    def network(self) -> str:
        """``2-3-1``."""
        return "-".join(map(str, self.sizes))

    @property
    def code(self) -> str:
        """The line that says it all: ``2-3-1 activations=Sigmoid+Sigmoid loss=... seed=7``."""
        told = [self.network]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                value = "+".join(value)
            if value not in (None, ""):
                told.append(f"{field.name}={value}")
        return " ".join(told)

    @classmethod
    def of_code(cls, code: str) -> Setting:
        """Read what `code` wrote.

        Raises
        ------
        FileFormatError
            If it is anything else.
        """
        found = _CODE.fullmatch(" ".join(code.split()))
        if found is None:
            raise _malformed(code, "it begins with a network such as 2-3-1, then says name=value")
        parts = [part.split("=", 1) for part in found["rest"].split()]
        told = dict(parts)
        if len(told) < len(parts):
            raise _malformed(code, "it says something twice")
        known = {field.name: field for field in fields(cls)[1:]}
        missing = [name for name in ("activations", "loss", "ask", "seed") if name not in told]
        unknown = [name for name in told if name not in known]
        if missing or unknown:
            reason = f"it lacks {missing[0]}" if missing else f"it has no {unknown[0]}"
            raise _malformed(code, reason)
        try:
            return cls(
                sizes=read_network(found["network"]),
                activations=tuple(told["activations"].split("+")),
                loss=told["loss"],
                examples=int(told.get("examples", 1)),
                learning_rate=_number(told.get("learning_rate")),
                ask=tuple(told["ask"].split("+")),
                digits=int(told.get("digits", 4)),
                seed=int(told["seed"]),
                draw=int(told.get("draw", 0)),
            )
        except ChainruleError as error:
            raise _malformed(code, error.message) from None
        except ValueError:
            raise _malformed(code, "what should be a number is none") from None

    def redrawn(self, draw: int) -> Setting:
        """The same with other numbers of its seed."""
        return replace(self, draw=draw)

    def build(self) -> Sequential:
        """The network, its numbers not given yet."""
        layers: list[Module] = []
        for inputs, outputs, name in zip(
            self.sizes, self.sizes[1:], self.activations, strict=False
        ):
            layers.append(Linear(inputs, outputs))
            if name != NONE:
                layers.append(LAYERS.get(name)())
        return Sequential(*layers).astype("float64")

    @property
    def cost(self) -> Loss:
        """The loss."""
        return LOSSES.get(self.loss)()


def setting_of(
    network: str | Module,
    *,
    activation: str,
    output: str | None,
    loss: str | Loss,
    examples: int,
    learning_rate: float | None,
    digits: int,
    seed: int,
) -> Setting:
    """A setting from what a teacher says; which values are asked for is still open.

    Raises
    ------
    ConfigurationError, NameNotFoundError
        If it is nothing for paper.
    """
    name = type(loss).__name__ if isinstance(loss, Loss) else loss
    if isinstance(loss, Loss) and loss.configuration() != LOSSES.get(name)().configuration():
        raise ConfigurationError(f"An exercise has a loss with its default options; got {loss!r}")
    if isinstance(network, Module):
        sizes, activations = _of_module(network)
    else:
        sizes = read_network(network)
        last = output or _LAST.get(LOSSES.get(name).outputs) or activation
        activations = (*(activation for _ in sizes[2:]), last)
    return Setting(sizes, activations, name, examples, learning_rate, digits=digits, seed=seed)


def read_network(text: str) -> tuple[int, ...]:
    """The sizes in a text such as ``2-3-1``.

    Raises
    ------
    ConfigurationError
    """
    if not isinstance(text, str) or not _NETWORK.fullmatch(text):
        raise ConfigurationError(
            f"A network is written as the sizes of its layers, such as 2-3-1; got {text!r:.60}"
        )
    return tuple(map(int, text.split("-")))


def is_for_paper(layer: type[Module]) -> bool:
    """Whether a layer is a function that an exercise can have for an activation."""
    if not issubclass(layer, Activation) or issubclass(layer, RReLU):  # draws its slopes
        return False
    return all(p.default is not p.empty for p in signature(layer).parameters.values())


def _of_module(net: Module) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Sizes and activations of a chain of linear layers."""
    sizes: list[int] = []
    activations: list[str] = []
    for layer in net if isinstance(net, Sequential) else [net]:
        if isinstance(layer, Linear) and layer.bias is not None:
            fits = not sizes or sizes[-1] == layer.in_features
            sizes += (
                [layer.out_features]
                if sizes and fits
                else [
                    layer.in_features,
                    layer.out_features,
                ]
            )
            activations.append(NONE)
            if fits:
                continue
        elif activations and activations[-1] == NONE and _is_plain(layer):
            activations[-1] = type(layer).__name__
            continue
        raise ConfigurationError(
            "An exercise's network is a chain of Linear layers with a bias, each with one "
            f"activation, of default options, behind it, or none; got {layer!r:.80}",
            advice="Write the sizes of its layers, such as 2-3-1",
        )
    return tuple(sizes), tuple(activations)


def _is_plain(layer: Module) -> bool:
    """Whether a layer is an activation with its default options."""
    kind = type(layer)
    return is_for_paper(kind) and layer.configuration() == kind().configuration()


def _check(setting: Setting) -> None:
    counts = {
        "layers": len(setting.sizes) - 1,
        "units in a layer": max(setting.sizes),
        "examples": setting.examples,
        "significant digits": setting.digits,
        "values asked for": len(setting.ask),
    }
    for what, count in counts.items():
        least = 0 if what == "values asked for" else 1
        if not isinstance(count, int) or not least <= count <= LARGEST[what]:
            raise ConfigurationError(
                f"An exercise is done by hand: it has {least} to {LARGEST[what]} {what}; "
                f"got {count!r:.20}"
            )
    if min(setting.sizes) < 1:
        raise ConfigurationError(f"A layer has at least one unit; got {setting.network}")
    for what, number in (("seed", setting.seed), ("draw", setting.draw)):
        if not isinstance(number, int) or not 0 <= number < 2**63:
            raise ConfigurationError(f"A {what} is a whole number from 0 up; got {number!r:.40}")
    rate = setting.learning_rate
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise ConfigurationError(f"A learning rate is a number above 0; got {rate!r}")
    if len(setting.activations) != len(setting.sizes) - 1:
        raise ConfigurationError(
            f"{setting.network} has {len(setting.sizes) - 1} layers; got "
            f"{len(setting.activations)} activations"
        )
    for name in setting.activations:
        if name != NONE and not is_for_paper(LAYERS.get(name)):
            raise ConfigurationError(f"{name} is no activation that is computed by hand")
    if LOSSES.get(setting.loss).targets not in _HAND_MADE:
        raise ConfigurationError(
            f"{setting.loss} is no loss of an exercise: its targets are "
            f"{LOSSES.get(setting.loss).targets}"
        )


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _malformed(code: str, reason: str) -> FileFormatError:
    return FileFormatError(
        f'"{plain(code)[:80]}" is no line that describes an exercise: {reason.rstrip(".")}'
    )
