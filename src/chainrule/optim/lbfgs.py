"""L-BFGS: Newton's method with what the last gradients say of the curvature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np

from chainrule.base.errors import NonFiniteError
from chainrule.base.registry import Registry
from chainrule.eager.tensor import Array
from chainrule.graph import Graph, TensorType
from chainrule.optim.curvature import Memory, direction, direction_graph
from chainrule.optim.flat import Flat
from chainrule.optim.kinds import Choice, Count, Maybe, NonNegative, Number, Whole
from chainrule.optim.line_search import Point, strong_wolfe
from chainrule.optim.options import Configured

MINIMIZERS: Registry[type[LBFGS]] = Registry("minimizer")

_MaybeCount = Annotated[int | None, Maybe(Whole(at_least=1))]
_Search = Annotated[Literal["strong_wolfe"] | None, Maybe(Choice(("strong_wolfe",)))]


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a minimisation ended.

    Parameters
    ----------
    x : object
        The point: what the start was, with other numbers. A module is the start's own.
    value : float
        The function there.
    gradient : array of shape (n,)
        All derivatives there, one after the other.
    iterations, evaluations : int
        How many steps were taken, and how often the function was called.
    reason : str
        Why it ended: "small gradient" (`tolerance_grad`), "small change" or "small slope" along
        the direction (`tolerance_change`), "max_iter", "max_eval".
    memory : Memory
        To go on from here: ``minimize(f, minimum.x, memory=minimum.memory)``.
    """

    x: Any
    value: float
    gradient: Array = field(repr=False)
    iterations: int
    evaluations: int
    reason: str
    memory: Memory = field(repr=False)


@MINIMIZERS.register("LBFGS")
@dataclass(eq=False, repr=False)
class LBFGS(Configured):
    """Minimise a function of all its parameters at once, from its value and gradient.

    Its steps are made of several evaluations, each of all the data, so it is not one of the
    optimisers that `fit` takes: `minimize` is its loop.

    Parameters
    ----------
    lr : float
        η > 0: the length of a step without line search, the first that is tried with one. The
        first step of all is η·min(1, 1/‖g‖₁) times the gradient g.
    max_iter : int
        How many steps there are at most.
    max_eval : int, optional
        After how many evaluations no step is begun; by default 5/4 of `max_iter`.
    tolerance_grad : float
        It ends where no derivative is larger.
    tolerance_change : float
        It ends where no parameter, or the value, changes by more, or promises to.
    history_size : int
        m ≥ 1: how many steps are remembered.
    line_search_fn : {"strong_wolfe"}, optional
        How the length of a step is found; by default it is η.

    Notes
    -----
    With the gradient g, and the last steps sᵢ, each with its change of the gradient yᵢ, from the
    oldest to the newest   [Liu and Nocedal 1989; Nocedal and Wright 2006, alg. 7.4]::

        q = -g
        aᵢ = sᵢ·q / yᵢ·sᵢ        q ← q - aᵢ·yᵢ             from the newest to the oldest
        d = γ·q                  γ = s·y / y·y  of the newest
        d ← d + (aᵢ - yᵢ·d / yᵢ·sᵢ)·sᵢ                     from the oldest to the newest
        x ← x + t·d

    `direction_graph` is this, in ops. t is found on the host: a search asks for values before it
    knows what to do next.

    Examples
    --------
    >>> import chainrule as cr
    >>> rosenbrock = lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    >>> lbfgs = LBFGS(max_iter=100, line_search_fn="strong_wolfe")
    >>> minimum = lbfgs.minimize(rosenbrock, np.array([-1.2, 1.0]))
    >>> minimum.x.round(6).tolist(), minimum.reason
    ([1.0, 1.0], 'small slope')
    """

    lr: Annotated[float, Number(low=0, open_low=True)] = 1.0
    max_iter: Count = 20
    max_eval: _MaybeCount = None
    tolerance_grad: NonNegative = 1e-7
    tolerance_change: NonNegative = 1e-9
    history_size: Count = 100
    line_search_fn: _Search = None

    def minimize(self, f: Callable[[Any], Any], x0: Any, memory: Memory | None = None) -> Minimum:
        """Take steps from `x0` until nothing is gained.

        Parameters
        ----------
        f : callable
            From what `x0` is to a float scalar Tensor, such as the mean loss of all examples.
        x0 : array, number, module, or nested tuples, lists and dicts of them
            The start. The trainable parameters of a module change in place.
        memory : Memory, optional
            What an earlier call learned of the same function.

        Raises
        ------
        NonFiniteError
            If a value or a derivative is NaN or infinite where no line search can step back. The
            parameters are those before that step.
        NotDifferentiableError
            If `f` gives no float scalar, or its gradient does not exist.
        """
        flat = Flat(f, x0)
        walk = _Walk(self, flat, memory or Memory())
        try:
            reason = walk.run()
        except BaseException:
            flat.tree(walk.x)  # a search may have stopped anywhere
            raise
        return Minimum(
            flat.tree(walk.x),
            walk.here.value,
            walk.here.gradient,
            walk.iterations,
            flat.evaluations,
            reason,
            walk.memory,
        )

    def graph(self, kind: TensorType, pairs: int) -> Graph:
        """The direction of a step, as a graph.

        Parameters
        ----------
        kind : TensorType
            The gradient's, a vector.
        pairs : int
            How many steps are remembered.

        Returns
        -------
        Graph
            From the gradient, γ, and ρ = 1 / y·s, s and y of each pair to the direction.
        """
        return direction_graph(kind, pairs)


class _Walk:
    """A minimisation under way: where it is, and what it remembers."""

    def __init__(self, options: LBFGS, flat: Flat, memory: Memory) -> None:
        self.options = options
        self.flat = flat
        self.memory = memory
        self.x = flat.start
        self.iterations = 0
        self.here = self._at(self.x, None, 0.0)

    def run(self) -> str:
        """Take steps, and say why no more are taken."""
        options = self.options
        most = options.max_eval or options.max_iter * 5 // 4
        self._check_finite()
        while np.abs(self.here.gradient).max() > options.tolerance_grad:
            before = self.here
            step = self._step(most)
            if step is None:
                return "small slope"
            if self.iterations == options.max_iter:
                return "max_iter"
            if self.flat.evaluations >= most:
                return "max_eval"
            if np.abs(step).max() <= options.tolerance_change:
                return "small change"
            if abs(self.here.value - before.value) < options.tolerance_change:
                return "small change"
        return "small gradient"

    def _step(self, most: int) -> Array | None:
        """Take one step and return it, or None where the direction does not lead down."""
        g, value, options = self.here.gradient, self.here.value, self.options
        self.memory = memory = self.memory.after(g, options.history_size)
        d = direction(g, memory.steps, memory.changes, memory.scale)
        start = Point(0.0, value, float(g @ d), g)
        if start.slope > -options.tolerance_change:
            return None
        is_first = memory.step is None
        t = options.lr * (min(1.0, 1.0 / float(np.abs(g).sum())) if is_first else 1.0)
        if options.line_search_fn is None:
            here = self._at(self.x + t * d, d, t)
        else:
            here = strong_wolfe(
                lambda t: self._at(self.x + t * d, d, t),
                start,
                t,
                size=float(np.abs(d).max()),
                tolerance=options.tolerance_change,
                tries=most - self.flat.evaluations,
            )
        step = here.t * d
        self.iterations += 1
        self.here = here
        self._check_finite()
        self.x = self.x + step
        self.memory = Memory(memory.steps, memory.changes, memory.scale, step, g)
        return step

    def _at(self, x: Array, d: Array | None, t: float) -> Point:
        value, gradient = self.flat.evaluate(x)
        slope = 0.0 if d is None else float(gradient @ d)
        # Not a number is higher than any: a search goes back from there.
        return Point(t, math.inf if math.isnan(value) else value, slope, gradient)

    def _check_finite(self) -> None:
        if math.isfinite(self.here.value) and np.isfinite(self.here.gradient).all():
            return
        what = "value" if not math.isfinite(self.here.value) else "gradient"
        advice = 'Take a smaller lr, or line_search_fn="strong_wolfe"'
        if not self.iterations:
            advice = "Begin elsewhere"
        raise NonFiniteError(
            f"LBFGS minimizes functions that are finite; the {what} "
            f"{f'after step {self.iterations}' if self.iterations else 'at the start'} is not",
            advice=advice,
        )
