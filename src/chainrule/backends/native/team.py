"""What threads do together in a step: when they wait for each other, and how.

A kernel that is shared is run by all, any other by the first. Where one touches what another
thread has written, or writes what it has touched, all wait until all are there. Waiting is
spinning, since what is waited for is microseconds away; after a while the processor is offered to
others, as it must be where threads share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chainrule.backends.native.ir import Function
from chainrule.backends.native.meeting import ABANDONED, TAKEN, TURN
from chainrule.backends.native.nest import Kernel, written
from chainrule.backends.native.routine import call_kernels
from chainrule.backends.native.target import Target
from chainrule.graph import DType

_SPINS = 200
"""Looks before the processor is offered to others: some microseconds.

Where nobody wants it, it is ours again at once.
"""

_PAUSES = {
    "x86_64": "call void @llvm.x86.sse2.pause()",
    "i686": "call void @llvm.x86.sse2.pause()",
    "aarch64": "call void @llvm.aarch64.hint(i32 1)",
    "arm64": "call void @llvm.aarch64.hint(i32 1)",
}
"""What tells a processor that a thread only waits, by architecture."""


Parts = Sequence[Sequence[Kernel]]
"""Kernels in their order: within a part, no thread need wait for another."""


@dataclass(frozen=True)
class Rounds:
    """A step's kernels in parts, between which all threads wait for each other.

    Parameters
    ----------
    computing : sequence of sequence of Kernel
        What runs until it is known whether the step is taken. If the first part is empty, all
        wait before the second.
    ending : sequence of sequence of Kernel
        What runs if it is; the first part of the next step may be under way with its last one.
    """

    computing: Parts
    ending: Parts

    @classmethod
    def of(
        cls, computing: Sequence[Kernel], ending: Sequence[Kernel], decisive: Sequence[str]
    ) -> Rounds:
        """Cut the kernels of a step.

        Parameters
        ----------
        computing, ending : sequence of Kernel
        decisive : sequence of str
            Buffers that the first thread reads, to see whether the step is taken.
        """
        verdict = Kernel("verdict", (), dict.fromkeys(decisive, DType.BOOL))
        parts: list[list[Kernel]] = [[]]
        first = 0
        for number, kernel in enumerate([*ending, *computing, verdict]):
            if any(_disturb(before, kernel) for before in parts[-1]):
                parts.append([])
            if number == len(ending):
                first = len(parts) - 1
            parts[-1].append(kernel)
        of_ending = set(map(id, ending))
        begun = [k for k in parts[first] if id(k) not in of_ending]
        ended = [k for k in parts[first] if id(k) in of_ending]
        # Without an ending that is under way, there has just been the wait for the verdict.
        waits = bool(ending) and not ended
        return cls(
            [*([[]] if waits else []), begun, *parts[first + 1 :]],
            [*parts[:first], *([ended] if ended else [])],
        )

    @property
    def at_once(self) -> list[Kernel]:
        """For each part, one that stands for all of it: they need their memory together."""
        under_way = [*(self.ending[-1] if self.ending else []), *self.computing[0]]
        parts = [under_way, *self.computing, *self.ending, under_way]
        return [
            Kernel("part", (), {n: d for k in part for n, d in k.buffers.items()}) for part in parts
        ]


def _disturb(before: Kernel, after: Kernel) -> bool:
    """Whether one must not begin before all threads have finished the other."""
    if not before.is_shared and not after.is_shared:
        return False  # both are the first thread's
    apart = before.own.keys() & after.own.keys()
    common = before.buffers.keys() & after.buffers.keys() - apart
    return bool(common & (written(before.body) | written(after.body)))


class Team:
    """Writes what threads do together into a function of ``%thread`` and ``%threads``.

    Parameters
    ----------
    function : Function
    place : str
        The address of `TEAM`.
    offer : str
        The address of a function that offers the processor to others.
    leave : str
        The label of a block where a thread ends that waits in vain.
    """

    def __init__(self, function: Function, place: str, offer: str, leave: str) -> None:
        self._function = function
        self._place = place
        self._offer = offer
        self._leave = leave

    def run(
        self,
        parts: Parts,
        locate: Callable[[str], str],
        after_each: Callable[[], None] = lambda: None,
    ) -> None:
        """Run the kernels, waiting between parts."""
        for number, kernels in enumerate(parts):
            if number:
                self.wait()
            single = [kernel for kernel in kernels if kernel.body and not kernel.is_shared]
            # Within a part the order is of no account but among those of the first thread.
            if single:
                with self.first():
                    call_kernels(self._function, single, locate)
                after_each()
            for kernel in kernels:
                if kernel.is_shared:
                    call_kernels(self._function, [kernel], locate)
                    after_each()

    @contextmanager
    def first(self) -> Iterator[None]:
        """Write what only the first thread does."""
        with self._function.when(self._function.value("icmp eq i64 %thread, 0")):
            yield

    def wait(self) -> None:
        """Wait until all are here."""
        f = self._function
        passed = f"ptr {self._place}, i64 %threads, ptr {self._offer}"
        in_vain = f.value(f'call i1 @"meet"({passed})')
        go_on = f.label("together")
        f.do(f"br i1 {in_vain}, label %{self._leave}, label %{go_on}")
        f.begin(go_on)

    def tell(self, verdict: str, step: str) -> None:
        """Let all know how many steps are taken: one more, if the verdict (an i1) is good."""
        f = self._function
        following = f.value(f"add i64 {step}, 1")
        taken = f.value(f"select i1 {verdict}, i64 {following}, i64 {step}")
        f.do(f"store atomic i64 {taken}, ptr {self._number(TAKEN)} monotonic, align 8")

    def abandon(self) -> None:
        """Let the others know that this thread will not come."""
        self._function.do(f"store atomic i64 1, ptr {self._number(ABANDONED)} monotonic, align 8")

    def told(self, step: str) -> str:
        """Whether this step is taken: an i1. The first thread may be ahead by one already."""
        f = self._function
        taken = f.value(f"load atomic i64, ptr {self._number(TAKEN)} monotonic, align 8")
        return f.value(f"icmp sgt i64 {taken}, {step}")

    def _number(self, which: int) -> str:
        return self._function.value(f"getelementptr i64, ptr {self._place}, i64 {which}")


def meet(target: Target) -> Function:
    """``meet(team, threads, offer)`` returns when all are there; true if that will never be."""
    f = Function("meet", [("ptr", "%team"), ("i64", "%threads"), ("ptr", "%offer")], "i1")
    last, wait, again = f.label("last"), f.label("wait"), f.label("again")
    tired, offer = f.label("tired"), f.label("offer")
    here, in_vain = f.label("here"), f.label("vain")
    turn = f.value(f"getelementptr i64, ptr %team, i64 {TURN}")
    abandoned = f.value(f"getelementptr i64, ptr %team, i64 {ABANDONED}")
    now = f.value(f"load atomic i64, ptr {turn} monotonic, align 8")
    before = f.value("atomicrmw add ptr %team, i64 1 acq_rel")
    count = f.value(f"add i64 {before}, 1")
    f.do(f"br i1 {f.value(f'icmp eq i64 {count}, %threads')}, label %{last}, label %{wait}")
    f.begin(last)
    f.do("store atomic i64 0, ptr %team monotonic, align 8")
    f.do(f"store atomic i64 {f.value(f'add i64 {now}, 1')}, ptr {turn} release, align 8")
    f.do("ret i1 false")
    f.begin(wait)
    looks, more = f.fresh("looks"), f.fresh("more")
    f.lines.append(f"  {looks} = phi i64 [ 0, %entry ], [ {more}, %{again} ], [ {more}, %{offer} ]")
    seen = f.value(f"load atomic i64, ptr {turn} acquire, align 8")
    f.do(f"br i1 {f.value(f'icmp ne i64 {seen}, {now}')}, label %{here}, label %{again}")
    f.begin(again)
    pause = _PAUSES.get(target.triple.partition("-")[0])
    if pause is not None:
        name, _, kind = pause.removeprefix("call void ").removesuffix(")").partition("(")
        f.declarations.add(f"declare void {name}({kind.partition(' ')[0]})")
        f.do(pause)
    f.lines.append(f"  {more} = add i64 {looks}, 1")
    f.do(f"br i1 {f.value(f'icmp slt i64 {more}, {_SPINS}')}, label %{wait}, label %{tired}")
    f.begin(tired)
    gone = f.value(f"load atomic i64, ptr {abandoned} monotonic, align 8")
    f.do(f"br i1 {f.value(f'icmp ne i64 {gone}, 0')}, label %{in_vain}, label %{offer}")
    f.begin(offer)
    f.value("call i32 %offer()")
    f.do(f"br label %{wait}")
    f.begin(here)
    f.do("ret i1 false")
    f.begin(in_vain)
    f.do("ret i1 true")
    return f
