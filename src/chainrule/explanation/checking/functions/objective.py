"""What a learner's function is taken to differentiate: a loss, and what is added up or averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError, ConfigurationError
from chainrule.eager import Tensor, as_tensor
from chainrule.explanation.capturing.capture import explain
from chainrule.explanation.checking.functions.cases import Case, MakeActivation, make_case
from chainrule.explanation.trace import Array, Trace
from chainrule.nn import Module, Sigmoid, Softmax
from chainrule.nn.losses.loss import Loss, as_loss
from chainrule.optim import SGD

MEAN, SUM = "mean", "sum"

_CHOICE = ("logits", "log-probabilities", "scores")
_NO_OUTPUTS = (*_CHOICE, "several", "mean and variance", "distances")
"""Losses whose cost is no sum of one cost for each output."""


class _Scaled(Loss):
    """A loss whose costs are multiplied by a number.

    Parameters
    ----------
    loss : Loss
    factor : float
    """

    def __init__(self, loss: Loss, factor: float) -> None:
        self.loss, self.factor = loss, factor
        self.outputs, self.targets = loss.outputs, loss.targets

    @property
    def made_by(self) -> str:
        return self.loss.made_by

    def forward(self, output: Any, target: Any) -> Tensor:
        return self.loss.forward(output, target) * self.factor

    def prepare_target(self, target: Array, dtype: np.dtype[Any]) -> Array:
        return self.loss.prepare_target(target, dtype)

    def check_target(self, target: Array, width: int | None) -> None:
        self.loss.check_target(target, width)

    def check_output(self, output: Any) -> None:
        self.loss.check_output(output)

    def example_weights(self, target: Tensor) -> Tensor | None:
        return self.loss.example_weights(target)

    def counted(self, target: Tensor) -> Tensor | None:
        return self.loss.counted(target)


@dataclass(frozen=True)
class Objective:
    """Networks' activations, their loss, and over what it is a mean or a sum.

    Parameters
    ----------
    hidden, output : callable
        Make the activation of hidden layers, and of the last.
    loss : Loss, str or callable
    over_examples : {"mean", "sum"}
    over_outputs : {"mean", "sum"}, optional
        By default what the loss does by itself.
    seed : int
        Of the networks' numbers.
    """

    hidden: MakeActivation
    output: MakeActivation
    loss: Any
    over_examples: str = MEAN
    over_outputs: str | None = None
    seed: int = 0
    _truths: dict[Any, Truth] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for make in (self.hidden, self.output):
            if not callable(make) or not isinstance(make(), Module):
                raise ConfigurationError(
                    f"An activation is given as what makes it; got {make!r:.60}",
                    advice="Pass the class: check_function(f, activation=nn.Tanh)",
                )
        for name in ("over_examples", "over_outputs"):
            value = getattr(self, name)
            if value not in (MEAN, SUM) and not (value is None and name == "over_outputs"):
                raise ConfigurationError(
                    f'check_function takes {name}="mean" or "sum"; got {value!r:.60}'
                )
        if self.own is None and self.over_outputs is not None:
            raise ConfigurationError(
                f"{self.made.made_by} has no sum over the outputs of an example: "
                f'over_outputs="{self.over_outputs}" has no meaning for it',
                advice="Leave over_outputs out",
            )

    @cached_property
    def made(self) -> Loss:
        """The loss itself."""
        return as_loss(self.loss)

    @cached_property
    def own(self) -> str | None:
        """Whether the loss is a mean or a sum over an example's outputs; None where it is neither.

        It is asked for: the cost of one output beside that of two which are alike.
        """
        if self.made.outputs in _NO_OUTPUTS or not self.made.is_mean:
            return None
        target = np.ones((1, 1)) if self.made.targets == "signs" else np.full((1, 1), 0.7)
        output = np.full((1, 1), 0.4)
        try:
            one, two = (
                float(self.made(as_tensor(np.tile(output, k)), np.tile(target, k)).numpy()[0])
                for k in (1, 2)
            )
        except ChainruleError:
            return None
        if not np.isfinite(one) or one == 0:
            return None
        return {1.0: MEAN, 2.0: SUM}.get(round(two / one, 9))

    @property
    def choices(self) -> tuple[str | None, ...]:
        """What the function may do over the outputs: what is asked for, or what the loss does."""
        if self.own is None or self.over_outputs is not None:
            return (self.over_outputs,)
        return (self.own, SUM if self.own == MEAN else MEAN)

    @property
    def is_choice(self) -> bool:
        """Whether a target is one of the outputs."""
        return self.made.outputs in _CHOICE

    @property
    def reading(self) -> Callable[[Any], Any]:
        """What the loss makes of a network's outputs before it compares them."""
        read: dict[str, Callable[[Any], Any]] = {"logits": Softmax(-1), "binary logits": Sigmoid()}
        return read.get(self.made.outputs, as_tensor)

    def case(self, sizes: Any, examples: int, *, has_biases: bool = True) -> Case:
        """A network of these sizes, and a batch for it."""
        is_sign = self.made.targets == "signs"
        return make_case(
            sizes,
            examples,
            self.seed,
            hidden=self.hidden,
            output=self.output,
            targets="choice" if self.is_choice else "signs" if is_sign else "values",
            has_biases=has_biases,
            reading=self.reading,
        )

    def truth(self, case: Case, over_outputs: str | None, rate: float | None) -> Truth:
        """The true step of a case; it is computed once."""
        key = (id(case), over_outputs, rate)
        if key not in self._truths:
            self._truths[key] = Truth(case, self._loss(case, over_outputs), rate)
        return self._truths[key]

    def _loss(self, case: Case, over_outputs: str | None) -> Loss:
        count = case.sizes[-1]
        factor = {(MEAN, SUM): float(count), (SUM, MEAN): 1 / count}.get(
            (self.own or "", over_outputs or ""), 1.0
        )
        factor *= len(case.x) if self.over_examples == SUM else 1
        return self.made if factor == 1 else _Scaled(self.made, factor)

    def told(self, over_outputs: str | None) -> str:
        """What gradients are compared with, in words."""
        own = over_outputs or self.own
        outputs = {MEAN: "the mean over the outputs, ", SUM: "the sum over the outputs, "}
        told = f"{self.made.made_by}: {outputs.get(own or '', '')}the {self.over_examples} over "
        return f"{told}the examples"

    def told_of_others(self, over_outputs: str | None) -> tuple[str, ...]:
        """What to know where a function does something else over the outputs than the loss."""
        if over_outputs in (self.own, self.over_outputs):
            return ()
        did, does, size = ("adds up", "averages", "large")
        if over_outputs == MEAN:
            did, does, size = does, did, "small"
        told = (
            f"It {did} the costs of an example's outputs, which {self.made.made_by} {does}: with k "
            f'outputs the gradient is k times as {size}. Pass over_outputs="{self.own}" if that is '
            "not allowed."
        )
        return (told,)


class Truth:
    """The true step on a case.

    Parameters
    ----------
    case : Case
    loss : Loss
    rate : float or None
        Of the update, where there is one.
    """

    def __init__(self, case: Case, loss: Loss, rate: float | None) -> None:
        self.case, self.loss, self.rate = case, loss, rate

    @cached_property
    def trace(self) -> Trace:
        """The step as it was captured."""
        return explain(
            self.case.net,
            self.case.x,
            self.case.y,
            loss=self.loss,
            optimizer=None if self.rate is None else SGD(lr=self.rate),
            backend="numpy",
        )

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """By parameter."""
        names = [name for pair in self.case.parameters for name in pair]
        return {name: self.trace.values[self.trace.graph.find(f"d_{name}")] for name in names}
