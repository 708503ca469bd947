"""A training step as a native function that takes many: it gathers, computes, checks, moves on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from chainrule.backends.native.asking import Batch, ask_early
from chainrule.backends.native.finite import FINITE, check_finite
from chainrule.backends.native.frame import copy, count_of, filled, over
from chainrule.backends.native.in_place import can_take_place, renamed
from chainrule.backends.native.ir import Function
from chainrule.backends.native.layout import Pair
from chainrule.backends.native.lower import lower
from chainrule.backends.native.lowered import Buffer, Lowered
from chainrule.backends.native.meeting import SIZE, TEAM
from chainrule.backends.native.nest import (
    Kernel,
    Let,
    Loop,
    Read,
    Statement,
    Write,
    buffers_of,
    index,
    joined,
    written,
)
from chainrule.backends.native.plan import Plan, plan_memory
from chainrule.backends.native.positions import FAULTS
from chainrule.backends.native.routine import (
    Stages,
    call_kernels,
    in_arena,
)
from chainrule.backends.native.share import THREAD_PARAMETERS
from chainrule.backends.native.sharing import WORTH, Sharing
from chainrule.backends.native.team import Rounds, Team, meet
from chainrule.backends.native.view import View
from chainrule.backends.protocol import (
    Wiring,
)
from chainrule.graph import DType

ROWS = "rows"
"""The rows' numbers, of each step and once more of the last."""

STOP = "stop"
"""Set from outside, while steps are taken, so that no further kernel begins."""

_LONG = 1 << 22
"""The bytes of buffers with which a step may take so long that it is to be stopped within."""


@dataclass
class StepStages(Stages):
    """A step on its way to the machine: the graph's kernels, and those that feed and check it.

    Parameters
    ----------
    wiring : Wiring
    threads : int
        How many may run it.
    """

    wiring: Wiring = field(default_factory=lambda: Wiring({}))
    threads: int = 1

    @cached_property
    def lowered(self) -> Lowered:
        """Its kernels; next values take the place of the state where they can."""
        made = lower(
            self.lean, self.target, [o.node for o in self.lean.outputs], self.pairs, self._watch
        )
        values = dict(made.values)
        read = [values[output.node].buffer for output in self.lean.outputs]
        for before, after in self.pairs:
            state, following = values[before], values[after]
            if replace(following, buffer=state.buffer) != state or state.buffer in read:
                continue  # they lie otherwise, or an output of the step is the state before it
            if not can_take_place(made.kernels, state.buffer, following.buffer):
                continue
            made.kernels = [renamed(k, following.buffer, state.buffer) for k in made.kernels]
            values = {
                i: replace(view, buffer=state.buffer) if view.buffer == following.buffer else view
                for i, view in values.items()
            }
        made.values = values
        made.kernels = ask_early(made.kernels, self._batches, ROWS)
        if self.threads > 1 and not made.is_straight:
            self._share(made)
        return made

    @property
    def _batches(self) -> list[Batch]:
        """The rows that each step gathers."""
        named = {self.lean.name_of(i): self.lean.nodes[i] for i in self.lean.inputs}
        nodes = {name: named[name] for name in self.wiring.data if name in named}
        return [
            Batch(f"data.{name}", node.dtype, self.batch, count_of(node.shape[1:]))
            for name, node in nodes.items()
        ]

    def _share(self, made: Lowered) -> None:
        """Let threads share what is worth it."""
        sizes = {name: made.buffers[name].size for name in made.scratch}
        sums = {view.buffer: view.size for view in made.zeros.values()}
        sharing = Sharing(self.threads, self.target, WORTH, sizes, sums)
        kernels = sharing.kernels(made.kernels)
        if sharing.is_worth_while(kernels):
            made.kernels = kernels
            for name, stride in sharing.strides(kernels).items():
                made.buffers[name] = replace(made.buffers[name], size=self.threads * stride)
            made.zeros = {d: sharing.of_all(view, kernels) for d, view in made.zeros.items()}
            made.buffers[TEAM] = Buffer(TEAM, DType.I64, SIZE)

    @cached_property
    def is_shared(self) -> bool:
        """Whether several threads run it."""
        return TEAM in self.lowered.buffers

    def _shared(self, kernels: Sequence[Kernel]) -> list[Kernel]:
        """Kernels that feed, check or move, shared where that is worth it."""
        if not self.is_shared:
            return [*kernels]
        return Sharing(self.threads, self.target, WORTH, {}, {}).kernels(kernels)

    @cached_property
    def replaced(self) -> list[str]:
        """States whose next values take their place before it is known whether a step is taken."""
        if not self.checks and not self.faults and not self.is_stoppable:
            return []  # there is nothing for which a step is not taken
        if self.latest or (self.is_shared and self.is_stoppable):
            # The bad step has replaced these outputs; or it has replaced some of the state.
            return [name for name in self.wiring.state if name in self.inputs]
        changed: set[str] = set()
        for kernel in self.lowered.kernels:
            changed |= written(kernel.body)
        return [
            name
            for name in self.wiring.state
            if name in self.inputs and self.inputs[name].buffer in changed
        ]

    @cached_property
    def is_stoppable(self) -> bool:
        """Whether the flag `STOP` is looked at between kernels."""
        buffers = self.lowered.buffers.values()
        return sum(b.size * b.dtype.numpy.itemsize for b in buffers) >= _LONG

    @property
    def pairs(self) -> list[Pair]:
        labels = {output.label: output.node for output in self.lean.outputs}
        places = {self.lean.name_of(i): i for i in self.lean.inputs}
        state = self.wiring.state.items()
        return [(places[name], labels[label]) for name, label in state if name in places]

    @cached_property
    def inputs(self) -> dict[str, View]:
        """Where each input lies."""
        lean, values = self.lean, self.lowered.values
        return {lean.name_of(i): values[i] for i in lean.inputs}

    @cached_property
    def outputs(self) -> dict[str, View]:
        """Where each output lies, by label."""
        return {o.label: self.lowered.values[o.node] for o in self.lean.outputs}

    @cached_property
    def fed(self) -> list[str]:
        """Inputs that are given anew for each step."""
        return [name for name in self.wiring.fed(self.graph) if name in self.inputs]

    @cached_property
    def shown(self) -> list[str]:
        """Outputs that are no state, nor wanted of the last step alone: kept from each step."""
        apart = {*self.wiring.state.values(), *self.latest}
        return [label for label in self.outputs if label not in apart]

    @cached_property
    def latest(self) -> list[str]:
        """Outputs that are read where they are computed, which is not where an input is."""
        taken = {view.buffer for view in self.inputs.values()}
        return [name for name in self.wiring.latest if self.outputs[name].buffer not in taken]

    @cached_property
    def batch(self) -> int:
        """How many rows a step reads."""
        names = [*self.wiring.data, *filter(None, [self.wiring.rows])]
        return int(self.graph[names[0]].shape[0]) if names else 0

    @cached_property
    def gathers(self) -> list[Kernel]:
        """For each input that is data: copy the step's rows of it."""
        made = []
        for name in self.wiring.data:
            width = count_of(self.inputs[name].shape[1:])
            to = self.inputs[name].reshaped((self.batch, width))
            assert to is not None
            row = index("row") * width + index("j")
            place = Let("row", Read(ROWS, index("b"), DType.I64))
            put = Write(
                to.buffer, to.at([index("b"), index("j")]), Read(f"data.{name}", row, to.dtype)
            )
            inner = over([("j", width)], [put])
            body: tuple[Statement, ...] = (Loop("b", to.shape[0], (place, *inner)),)
            made.append(self._kernel(f"gather.{name}", body, {f"data.{name}": to.dtype}))
        if self.wiring.rows is not None:
            to = self.inputs[self.wiring.rows]
            body = over(
                [("b", to.size)], [Write(to.buffer, index("b"), Read(ROWS, index("b"), DType.I64))]
            )
            made.append(self._kernel("gather.rows", body, {}))
        for name in self.fed:
            to = self.inputs[name]
            body = copy(View.whole(f"fed.{name}", to.dtype, to.shape), to)
            made.append(self._kernel(f"feed.{name}", body, {f"fed.{name}": to.dtype}))
        return made

    @cached_property
    def checks(self) -> list[Kernel]:
        """For each output that must be finite: whether it is."""
        return [
            self._kernel(
                f"check.{view.buffer}",
                check_finite(view, i, self._sums(view.dtype)),
                {},
            )
            for i, view in enumerate(self._checked)
        ]

    @cached_property
    def _checked(self) -> list[View]:
        """Values that must be finite, each once, and the zeros of those that products watch."""
        nodes = self._watch - self.lowered.watched
        views = {self.lowered.values[node] for node in nodes} | {*self.lowered.zeros.values()}
        return sorted(views, key=lambda view: view.buffer)

    @cached_property
    def _watch(self) -> set[int]:
        """Nodes whose values must be finite; integers always are."""
        labels = {output.label: output.node for output in self.lean.outputs}
        nodes = {labels[label] for label in self.wiring.finite}
        return {node for node in nodes if self.lean.nodes[node].dtype.is_float}

    @cached_property
    def clears(self) -> list[Kernel]:
        """Before a step: nothing has been added up."""
        if self.lowered.is_straight:
            return []
        return [
            self._kernel(f"clear.{view.buffer}", filled(view, 0), {})
            for view in self.lowered.zeros.values()
        ]

    def _sums(self, dtype: DType) -> View:
        """A vector of memory for the checks."""
        return View.whole(f"finite.{dtype.value}", dtype, (self.target.lanes(dtype),))

    @cached_property
    def _held(self) -> dict[str, View]:
        """Copies of next values that are other states, which must not be replaced before."""
        inputs = self.inputs
        states = {inputs[name] for name in self.wiring.state if name in inputs}
        return {
            name: View.whole(f"held.{name}", source.dtype, source.shape)
            for name, label in self.wiring.state.items()
            if name in inputs
            and (source := self.outputs[label]) in states
            and source != inputs[name]
        }

    @cached_property
    def buffers(self) -> dict[str, Buffer]:
        """All that lies in the arena."""
        sums = {view.dtype: self._sums(view.dtype) for view in self._checked}
        own = [*sums.values(), *self._held.values()]
        own.append(View.whole(FINITE, DType.BOOL, (len(self._checked),)))
        if self.is_stoppable:
            own.append(View.whole(STOP, DType.BOOL, (1,)))
        made = {view.buffer: Buffer(view.buffer, view.dtype, max(view.size, 1)) for view in own}
        return self.lowered.buffers | made

    @cached_property
    def moves(self) -> list[Kernel]:
        """After a step that is taken: show its results, then let the next state be the state."""
        made = []
        for label in self.shown:
            view = self.outputs[label]
            to = View.whole(f"shown.{label}", view.dtype, view.shape)
            made.append(self._kernel(f"show.{label}", copy(view, to), {to.buffer: to.dtype}))
        for name, held in self._held.items():
            source = self.outputs[self.wiring.state[name]]
            made.append(self._kernel(f"hold.{name}", copy(source, held), {}))
        for name, label in self.wiring.state.items():
            source = self._held.get(name, self.outputs[label])
            if name in self.inputs and source != self.inputs[name]:
                made.append(self._kernel(f"next.{name}", copy(source, self.inputs[name]), {}))
        return made

    def _kernel(self, name: str, body: Sequence[Statement], outside: Mapping[str, DType]) -> Kernel:
        known = {
            **{n: b.dtype for n, b in self.buffers.items()},
            **outside,
            ROWS: DType.I64,
        }
        used = {buffer: known[buffer] for buffer in sorted(buffers_of(body))}
        return Kernel(name, tuple(body), used)

    @property
    def kernels(self) -> list[Kernel]:
        return [*self.computing, *self.ending]

    @cached_property
    def computing(self) -> list[Kernel]:
        """What runs in a step until it is known whether it is taken."""
        before = [*self.clears, *self.gathers]
        made = [
            *self._shared(before),
            *self.lowered.kernels,
            *self._shared(self.checks),
        ]
        return [joined("step", [*made, *self.moves])] if self._is_one else made

    @cached_property
    def ending(self) -> list[Kernel]:
        """What runs in a step that is taken."""
        return [] if self._is_one else self._shared(self.moves)

    @property
    def _is_one(self) -> bool:
        """Whether all of it is one kernel: results may be shown early, states not replaced."""
        names = [name.partition(".")[0] for name in (kernel.name for kernel in self.moves)]
        return self.lowered.is_straight and set(names) <= {"show"}

    @cached_property
    def lasting(self) -> list[str]:
        views = [*self.inputs.values(), *self.outputs.values()]
        zeros = [view.buffer for view in self.lowered.zeros.values()]
        flags = [*self.faults, *([STOP] if self.is_stoppable else [])]
        flags += [TEAM] if self.is_shared else []
        return list(dict.fromkeys([*(view.buffer for view in views), *zeros, *flags]))

    @cached_property
    def outside(self) -> list[str]:
        """Buffers that are not in the arena, in the order of the table of their addresses."""
        return [
            ROWS,
            *(f"data.{name}" for name in self.wiring.data),
            *(f"fed.{name}" for name in self.fed),
            *(f"shown.{label}" for label in self.shown),
        ]

    @cached_property
    def strides(self) -> dict[str, int]:
        """By how many bytes the buffers outside move on from step to step."""
        found = {ROWS: 8 * self.batch}
        found |= {f"data.{name}": 0 for name in self.wiring.data}
        for prefix, names, views in (
            ("fed", self.fed, self.inputs),
            ("shown", self.shown, self.outputs),
        ):
            for name in names:
                view = views[name]
                found[f"{prefix}.{name}"] = view.size * view.dtype.numpy.itemsize
        return found

    @cached_property
    def ir(self) -> str:
        """``advance(arena, table, steps)``: how many steps were taken.

        If threads share it, each calls it, with its number and how many there are.
        """
        parameters = [("ptr", "%arena"), ("ptr", "%table"), ("i64", "%steps")]
        f = Function("advance", parameters + self.is_shared * THREAD_PARAMETERS, "i64")
        bases = {}
        for i, name in enumerate(self.outside):
            place = f.value(f"getelementptr ptr, ptr %table, i64 {i}")
            bases[name] = f.value(f"load ptr, ptr {place}, align 8")
        head, body, good, after = (f.label(n) for n in ("head", "step", "taken", "after"))
        leave = f.label("leave") if self.is_shared else after
        step, following = f.fresh("s"), f.fresh("s")
        team = self._team(f, leave) if self.is_shared else None
        f.do(f"br label %{head}")
        f.begin(head)
        phi = len(f.lines)
        f.lines.append("")
        f.do(f"br i1 {f.value(f'icmp slt i64 {step}, %steps')}, label %{body}, label %{after}")
        f.begin(body)

        def locate(name: str) -> str:
            if name not in bases:
                return in_arena(f, self.plan, name)
            stride = self.strides[name]
            if not stride:
                return bases[name]
            moved = f.value(f"mul i64 {step}, {stride}")
            return f.value(f"getelementptr i8, ptr {bases[name]}, i64 {moved}")

        def look() -> None:
            """Leave if that is wanted."""
            if self.is_stoppable:
                stop = f.value(f"load volatile i8, ptr {locate(STOP)}, align 1")
                on = f.label("on")
                f.do(f"br i1 {f.value(f'icmp eq i8 {stop}, 0')}, label %{on}, label %{leave}")
                f.begin(on)

        if team is None:
            for kernel in self.computing:
                call_kernels(f, [kernel], locate)
                look()
            is_taken = self._verdict(f, locate)
        else:
            team.run(self._rounds.computing, locate, look)
            with team.first():
                team.tell(self._verdict(f, locate), step)
            team.wait()
            is_taken = team.told(step)
        f.do(f"br i1 {is_taken}, label %{good}, label %{after}")
        f.begin(good)
        if team is None:
            call_kernels(f, self.ending, locate)
        else:
            team.run(self._rounds.ending, locate)
        f.lines.append(f"  {following} = add i64 {step}, 1")
        f.lines[phi] = f"  {step} = phi i64 [ 0, %entry ], [ {following}, %{f.block} ]"
        f.do(f"br label %{head}")
        if team is not None:
            f.begin(leave)
            team.abandon()
            f.do(f"br label %{after}")
        f.begin(after)
        f.do(f"ret i64 {step}")
        return self.module([f] if team is None else [f, meet(self.target)])

    def _team(self, f: Function, leave: str) -> Team:
        """What writes how threads work together; one that waits in vain leaves."""
        place = f.value(f"getelementptr ptr, ptr %table, i64 {len(self.outside)}")
        offer = f.value(f"load ptr, ptr {place}, align 8")
        return Team(f, in_arena(f, self.plan, TEAM), offer, leave)

    def _verdict(self, f: Function, locate: Callable[[str], str]) -> str:
        """Write whether a step is taken: nothing went wrong, and all that must be is finite."""
        flags = []
        for slot in range(len(self.lowered.faults)):
            place = f.value(f"getelementptr i64, ptr {locate(FAULTS)}, i64 {2 * slot}")
            fault = f.value(f"load i64, ptr {place}, align 8")
            none = f.value(f"icmp eq i64 {fault}, 0")
            flags.append(f.value(f"zext i1 {none} to i8"))
        for i in range(len(self.checks)):
            place = f.value(f"getelementptr i8, ptr {locate(FINITE)}, i64 {i}")
            flags.append(f.value(f"load i8, ptr {place}, align 1"))
        if not flags:
            return "true"
        total = flags[0]
        for flag in flags[1:]:
            total = f.value(f"and i8 {total}, {flag}")
        return f.value(f"icmp ne i8 {total}, 0")

    @cached_property
    def _rounds(self) -> Rounds:
        return Rounds.of(self.computing, self.ending, [FINITE, *self.faults])

    @cached_property
    def plan(self) -> Plan:
        kernels = self._rounds.at_once if self.is_shared else self.kernels
        kernels = [
            Kernel(k.name, k.body, {n: d for n, d in k.buffers.items() if n not in self.strides})
            for k in kernels
        ]
        return plan_memory(self.buffers, kernels, self.lasting)
