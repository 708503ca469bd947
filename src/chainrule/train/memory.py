"""What a training takes of memory, before any of it is taken."""

from __future__ import annotations

from chainrule.base.errors import NotEnoughMemoryError
from chainrule.base.memory import available_memory
from chainrule.base.sizes import format_bytes
from chainrule.graph import TensorType
from chainrule.nn import Module
from chainrule.train.engine import Engine
from chainrule.train.snapshots import kept_in_memory


def memory_of(engine: Engine) -> int:
    """Return how many bytes a training takes: the data, the state, and what a step computes.

    The state is held by the session and by whoever looks at it, and in memory are some snapshots.
    What Python, NumPy and a kernel for itself take comes on top.
    """
    data = sum(array.nbytes for array in engine.data.values())
    return data + _taken(engine)


def check_memory(engine: Engine) -> None:
    """Raise NotEnoughMemoryError if what is still to be taken is more than there is.

    Raises
    ------
    NotEnoughMemoryError
    """
    there = sum(_bytes(p.type) for _, p in engine.recipe.net.named_parameters())
    _check(_taken(engine), there, "the state of the network and its optimizer", _state(engine))


def check_parameters(net: Module) -> None:
    """Raise NotEnoughMemoryError if a network's parameters alone are too many to be trained.

    Raises
    ------
    NotEnoughMemoryError
        Before they are drawn.
    """
    variables = [variable for _, variable in net.named_variables()]
    size = sum(_bytes(variable.type) for variable in variables)
    there = sum(_bytes(variable.type) for variable in variables if variable.is_drawn)
    _check(2 * size, there, "its parameters", size)


def _check(taken: int, there: int, what: str, of_it: int) -> None:
    available = available_memory()
    if available is not None and taken - there > available:
        raise NotEnoughMemoryError(
            f"Training this network takes at least {format_bytes(taken)} of memory, with "
            f"{format_bytes(of_it)} for {what}; {format_bytes(available)} can be had here",
            advice="Make layers narrower, or batch_size smaller, or find more memory",
        )


def _taken(engine: Engine) -> int:
    state = _state(engine)
    return engine.program_memory + (1 + kept_in_memory(state)) * state


def _state(engine: Engine) -> int:
    steps = engine.steps
    return max(sum(_bytes(step.graph[name].type) for name in step.wiring.state) for step in steps)


def _bytes(kind: TensorType) -> int:
    return int(kind.size) * kind.dtype.numpy.itemsize
