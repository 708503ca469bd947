"""Evidence: what rules read, each thing measured once, when the first rule asks for it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import ChainruleError
from chainrule.explanation.diagnosing.captured import capture_step, most_captured
from chainrule.explanation.diagnosing.case import Case
from chainrule.explanation.diagnosing.draws import order
from chainrule.explanation.diagnosing.neighbours import EXAMPLES, Agreement, Neighbours, compare
from chainrule.explanation.diagnosing.scores import (
    classes_of,
    classes_said,
    features_of,
    occurrences,
    score,
)
from chainrule.explanation.diagnosing.slopes import Slope, flow_of, made_by, places_of, slopes_of
from chainrule.explanation.diagnosing.trials import Trial, affordable, beginning, rates_of, try_rate
from chainrule.explanation.diagnosing.units import (
    Activation,
    activations_of,
    line_of,
    output_of,
)
from chainrule.explanation.diagnosing.variants import VARIANTS, on_rows
from chainrule.explanation.trace import Trace
from chainrule.nn.batches import map_batches, name_columns
from chainrule.train.sources import ArraySource
from chainrule.train.writing import trainable

Array = np.ndarray[Any, Any]

FOLDS = 3
"""In how many parts examples are told by a network that was trained on the other parts."""

OF_DATA = (
    "arrays",
    "count",
    "numeric",
    "sampled",
    "classes",
    "values",
    "described",
    "neighbours",
    "neighbours_say",
    "unseen",
    "agreement",
)
"""What does not change while a network is trained."""


class Evidence:
    """What is known of a case. Nothing is computed before it is asked for.

    Parameters
    ----------
    case : Case
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self._trace: Trace | None = None
        self._is_captured = False

    def later(self, case: Case) -> Evidence:
        """Evidence of the same training at another time: what is known of its data stays known."""
        made = Evidence(case)
        made.__dict__ |= {name: self.__dict__[name] for name in OF_DATA if name in self.__dict__}
        made.__dict__["born"] = self.born
        return made

    def capture(self) -> None:
        """Make the captured step.

        It is asked for from the doctor's own frame: the user's line is the first outside of
        chainrule, and a cached property's would be one of functools.
        """
        if not self._is_captured:
            self._is_captured = True
            self._trace = self._captured_step()

    # --- data ---------------------------------------------------------------------------------

    @cached_property
    def arrays(self) -> ArraySource | None:
        """The examples that are trained on, in memory: all of them, or the first few thousand."""
        source = self.case.source
        if source is None:
            return None
        rows = self.case.rows
        if not isinstance(source, ArraySource):
            rows = rows[:EXAMPLES]
        elif len(rows) == source.count:
            return source
        return source.take(rows)

    @cached_property
    def count(self) -> int:
        """How many examples are trained on."""
        return len(self.case.rows)

    def original_row(self, place: int) -> int:
        """The row of the user's data of the training example at a place."""
        row = int(self.case.rows[place])
        return row if self.case.kept is None else int(self.case.kept[row])

    @cached_property
    def numeric(self) -> Array | None:
        """The inputs that are numbers, [N, F]: positions in a table are none."""
        return None if self.arrays is None else features_of(self.arrays)

    @cached_property
    def described(self) -> Array | None:
        """The sampled examples as numbers, [n, F]: of words and of rows of tables, which occur."""
        if self.numeric is None or self.arrays is None:
            return None
        if self.numeric.shape[1]:
            return self.numeric[self.sampled]
        return occurrences([column[self.sampled] for column in self.arrays.columns])

    @cached_property
    def sampled(self) -> Array:
        """Places of some examples, in an order that has nothing to do with theirs."""
        places = order(self.count, "sample")
        total = 0 if self.arrays is None else self.arrays.count
        return np.sort(places[places < total][:EXAMPLES])

    @cached_property
    def classes(self) -> Array | None:
        """The class of each training example, int64[N], where targets are classes."""
        return None if self.arrays is None else classes_of(self.arrays.target)

    @cached_property
    def values(self) -> Array | None:
        """The targets as numbers, float64[N, T], where they are no classes."""
        if self.arrays is None or self.classes is not None or self.case.loss.targets == "none":
            return None
        target = self.arrays.target
        return target.reshape(len(target), -1).astype(np.float64)

    @cached_property
    def neighbours(self) -> Neighbours | None:
        """The nearest of each of the sampled examples."""
        if self.described is None or not self.described.shape[1]:
            return None
        return Neighbours.of(self.described)

    @cached_property
    def agreement(self) -> Agreement | None:
        """Whether near examples have near targets, beside shuffled ones."""
        if self.neighbours is None:
            return None
        if self.classes is not None:
            return compare(self.neighbours, self.classes[self.sampled], classes=True)
        if self.values is not None:
            return compare(self.neighbours, self.values[self.sampled], classes=False)
        return None

    # --- the captured step --------------------------------------------------------------------

    @property
    def trace(self) -> Trace | None:
        """One step on a sample of the examples, in training, by NumPy."""
        self.capture()
        return self._trace

    def _captured_step(self) -> Trace | None:
        case = self.case
        if case.engine is None or case.source is None or case.loss.is_rule:
            return None
        return capture_step(case, case.rows[self.captured], self.learning_rate)

    @cached_property
    def captured(self) -> Array:
        """Places of the examples in the captured step."""
        engine = self.case.engine
        assert engine is not None
        most = most_captured(engine)
        return np.sort(order(self.count, "captured")[:most])

    @cached_property
    def learning_rate(self) -> float:
        """That of the next update."""
        engine = self.case.engine
        if engine is None:
            return self.case.optimizer.lr
        epoch, _ = engine.plan.locate(self.case.steps)
        return engine.rate.at(self.case.steps, epoch)

    @cached_property
    def highest_rate(self) -> float:
        """The highest of the rates that trials begin with: schedules may begin with little."""
        engine = self.case.engine
        assert engine is not None
        return max(rates_of(engine, beginning(self.case)[1], self.updates), default=0.0)

    @cached_property
    def loss(self) -> float:
        """The loss of the captured step."""
        assert self.trace is not None
        return float(self.trace.values[self.trace.graph.labels["loss"]])

    @cached_property
    def activations(self) -> list[Activation]:
        """The activations of the captured step."""
        return [] if self.trace is None else activations_of(self.trace)

    @cached_property
    def hidden(self) -> list[Activation]:
        """Those that something of the network follows."""
        return [each for each in self.activations if not each.is_output]

    @cached_property
    def slopes(self) -> list[Slope]:
        """The gradient of each parameter that trains, in the network's order."""
        if self.trace is None:
            return []
        return slopes_of(self.trace, self.case.state, trainable(self.case.net))

    @cached_property
    def born(self) -> Evidence:
        """The same of the state before the first step: what a training began with."""
        case = self.case
        if case.first is None or case.first is case.state:
            return self
        return Evidence(replace(case, state=case.first, steps=0, opener=case.first_opener))

    @cached_property
    def redrawn(self) -> Evidence:
        """The same with parameters that are drawn again: what a training that ran away began with.

        Those that were made of numbers keep them.
        """
        case = self.case
        net = copy.deepcopy(case.net)
        net.initialize(case.seed, reset=True)
        variables = [*net.named_parameters(), *net.named_buffers()]
        drawn = {path: variable.numpy() for path, variable in variables}
        kept = {
            name: np.zeros_like(array) if name.partition(":")[0] in drawn else array
            for name, array in case.state.items()
        }
        state = {**kept, **drawn, "step": np.zeros_like(case.state["step"])}
        return Evidence(replace(case, net=net, state=state, first=state, steps=0))

    @cached_property
    def flow(self) -> list[tuple[str, float]]:
        """The root mean square of the loss's gradient by each hidden layer's operand, in order.

        The output's is the last. It is that of the captured step, over all of its examples. Where
        no activation is known, it is told by what each weight makes.
        """
        if self.trace is None or self.output_node is None or not np.isfinite(self.loss):
            return []
        places = places_of(self.hidden) or made_by(self.trace, [s.path for s in self.weights])
        return flow_of(self.trace, places, self.output_node)

    @cached_property
    def weights(self) -> list[Slope]:
        """Those of parameters of two or more axes that are reached: matrices and kernels."""
        return [s for s in self.slopes if s.value.ndim >= 2 and s.gradient is not None]

    def open(self, name: str, *index: int) -> str:
        """What opens a number of the captured step, in Python; nothing on the command line."""
        if self.case.target:
            return ""
        inside = ", ".join([f'"{name}"', *map(str, index)])
        return f"{self.case.opener}[{inside}].show()"

    def command(self, name: str, *index: int) -> str:
        """What opens it on the command line."""
        if not self.case.target:
            return ""
        number = f"{name}[{','.join(map(str, index))}]" if index else name
        return f'chainrule explain {self.case.target} "{number}"'

    def line(self, name: str) -> str:
        """The user's line that a value came from; there is none behind a command."""
        if self.case.target or self.trace is None or name not in self.trace.graph.positions:
            return ""
        return line_of(self.trace, self.trace.graph.positions[name])

    # --- what the network says ------------------------------------------------------------------

    @cached_property
    def outputs(self) -> Array | None:
        """What it says of the sampled examples in evaluation, where that is one array."""
        return None if self.arrays is None else self.outputs_on(self.arrays, self.sampled)

    def outputs_on(
        self, source: ArraySource, places: Array, state: Mapping[str, Array] | None = None
    ) -> Array | None:
        """What it says of some examples, with the parameters of a state."""
        net = self.case.net
        variables = [*net.named_parameters(), *net.named_buffers()]
        for path, variable in variables:
            variable.replace((self.case.state if state is None else state)[path])
        columns = name_columns([column[places] for column in source.columns])
        try:
            with np.errstate(all="ignore"):
                found = map_batches(
                    lambda *inputs: net(*inputs), columns, 256, get_backend("numpy")
                )
                parts = [part for _, part in found]
        except ChainruleError:
            return None
        finally:
            for path, variable in variables:
                variable.replace(self.case.state[path])
        if not all(isinstance(part, np.ndarray) for part in parts):
            return None
        return np.concatenate(parts)

    def said(self, outputs: Array) -> Array | None:
        """The classes that outputs say, by what the loss takes them for."""
        return classes_said(outputs, self.case.loss.outputs)

    @cached_property
    def output_node(self) -> int | None:
        """The node of the captured step that the network returned."""
        return None if self.trace is None else output_of(self.trace.graph)

    @cached_property
    def last(self) -> Activation | None:
        """The activation that gives the outputs, where one does."""
        return next((each for each in self.activations if each.is_output), None)

    # --- trials -----------------------------------------------------------------------------------

    @cached_property
    def updates(self) -> int:
        """How many updates a trial makes."""
        return affordable(self.case)

    def trial(self, factor: float = 1.0) -> Trial:
        """Updates with the learning rate times a factor."""
        if factor not in self._trials:
            self._trials[factor] = try_rate(self.case, factor, self.updates)
        return self._trials[factor]

    def skill(self, variant: str = "") -> float | None:
        """How well the network says the sampled examples after a trial, beside saying nothing.

        1 is all right; 0 is what the commonest class, or the mean, says as well. With a `variant`,
        of the same steps on the case that is changed so; None where that changes nothing.
        """
        if variant not in self._skills:
            self._skills[variant] = self._skill(variant)
        return self._skills[variant]

    @cached_property
    def performance(self) -> float | None:
        """How well it says the sampled training examples as it stands, as `skill` measures it."""
        if self.outputs is None or self.arrays is None:
            return None
        return self.score(self.outputs, self.arrays.target[self.sampled])

    @cached_property
    def held_out_performance(self) -> float | None:
        """The same of what is held out."""
        held_out = self.case.held_out
        if held_out is None:
            return None
        places = np.arange(min(held_out.count, EXAMPLES))
        outputs = self.outputs_on(held_out, places)
        return None if outputs is None else self.score(outputs, held_out.target[places])

    @cached_property
    def does_well(self) -> bool:
        """Whether it learns all the same: after training as it stands, before it after a trial."""
        if not self.has_trials:
            return False
        if self.case.steps:
            return self.performance is not None and self.performance > 0.6
        skill = self.skill()  # after a few steps, of which more follow
        return skill is not None and skill > 0.2

    @cached_property
    def neighbours_say(self) -> float | None:
        """What the nearest examples say of each other's targets, as `skill` measures it."""
        if self.neighbours is None:
            return None
        if self.classes is not None:
            return self.neighbours.skill_of_classes(self.classes[self.sampled])
        if self.values is not None:
            return self.neighbours.skill_of_values(self.values[self.sampled])
        return None

    def _skill(self, variant: str) -> float | None:
        if not variant:
            return self._score(self.case, self.trial(1.0))
        changed = VARIANTS[variant](self.case)
        if changed is None:
            return None
        return self._score(changed, try_rate(changed, 1.0, self.updates))

    def _score(self, case: Case, trial: Trial) -> float | None:
        if trial.halted:
            return -1.0
        assert isinstance(case.source, ArraySource)
        source = case.source.take(case.rows)
        outputs = self.outputs_on(source, self.sampled, trial.state)
        return None if outputs is None else self.score(outputs, source.target[self.sampled])

    def score(self, outputs: Array, target: Array) -> float | None:
        """How well outputs say targets, beside what says nothing."""
        return score(outputs, target, self.case.loss.outputs)

    @property
    def skill_is(self) -> str:
        """What `skill` measures, in words."""
        if self.classes is not None:
            return "the share of right answers above the commonest class's"
        return "the explained share of the variance"

    def outputs_after(self, train: Array, test: Array) -> Array | None:
        """What the network says of some examples after a trial on others."""
        changed = on_rows(self.case, train)
        if changed is None or self.arrays is None:
            return None
        trial = try_rate(changed, 1.0, self.updates)
        return None if trial.halted else self.outputs_on(self.arrays, test, trial.state)

    @cached_property
    def unseen(self) -> Array | None:
        """What the network says of each sampled example after a trial on others: by thirds."""
        if self.arrays is None or not self.has_trials:
            return None
        places = order(len(self.sampled), "folds")
        made: list[tuple[Array, Array]] = []
        for part in np.array_split(places, FOLDS):
            others = np.setdiff1d(places, part)
            outputs = self.outputs_after(self.sampled[others], self.sampled[part])
            if outputs is None or not np.isfinite(outputs).all():
                return None
            made.append((part, outputs))
        whole = np.concatenate([outputs for _, outputs in made])
        return np.asarray(whole[np.argsort(np.concatenate([part for part, _ in made]))])

    @cached_property
    def start(self) -> Mapping[str, Array]:
        """The state in which trials begin."""
        return beginning(self.case)[0]

    @cached_property
    def _skills(self) -> dict[str, float | None]:
        return {}

    @cached_property
    def _trials(self) -> dict[float, Trial]:
        return {}

    @cached_property
    def has_trials(self) -> bool:
        """Whether trial steps can be made: examples are in memory, and are learnt by a gradient."""
        case = self.case
        return case.engine is not None and isinstance(case.source, ArraySource)

    @cached_property
    def planned(self) -> int | None:
        """How many updates the training is to have, where that is known."""
        plan, epochs = self.case.plan, self.case.epochs
        if self.case.history is not None:
            return self.case.steps or None
        return None if plan is None or epochs is None else plan.updates_per_epoch * epochs

    def looked_at(self) -> tuple[str, ...]:
        """What was looked at so far, in words."""
        said = []
        if self.arrays is not None:
            said.append(f"{self.count:,} examples")
        if self.case.held_out is not None:
            said.append(f"{self.case.held_out.count:,} held out")
        if self._trace is not None:
            said.append(
                f"a captured step of {len(self.captured):,} examples "
                f"({len(self.slopes)} parameters)"
            )
        if self._trials:
            rates = len(self._trials)
            said.append(
                f"{self.updates} trial steps on a copy"
                + (f" with each of {rates} learning rates" if rates > 1 else "")
            )
        if self.case.history is not None and self.case.history.epochs:
            said.append(f"{self.case.history.epochs} epochs of history")
        return tuple(said)
