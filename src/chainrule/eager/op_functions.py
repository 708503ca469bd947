"""Elementwise ops and methods as functions: each is there as soon as it is declared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from chainrule.eager.methods import Methods
from chainrule.eager.tensor import Tensor, as_tensor
from chainrule.eager.tensor import elementwise as apply_elementwise
from chainrule.ops import OPS, Elementwise


def function_names() -> tuple[str, ...]:
    """The names of all elementwise ops, and of NumPy's methods."""
    ops = [name for name in OPS if isinstance(OPS.get(name), Elementwise)]
    return tuple(dict.fromkeys([*ops, *(name for name in vars(Methods) if name[0] != "_")]))


@cache
def named_function(name: str) -> Callable[..., Tensor]:
    """The function of Tensors, arrays and numbers that is called `name`.

    Parameters
    ----------
    name : str
        An elementwise op, or a method. Where there are both, the function is the method:
        ``max`` is NumPy's, over an axis, and not that of two numbers, `maximum`.

    Raises
    ------
    AttributeError
        If there is neither.
    """
    if name not in function_names():
        raise AttributeError(f"no elementwise op and no method is called {name!r}")
    written = hasattr(Methods, name)

    def function(*operands: Any, **attributes: Any) -> Tensor:
        if written:
            tensor, *others = operands
            result: Tensor = getattr(as_tensor(tensor), name)(*others, **attributes)
            return result
        return apply_elementwise(name, *operands, **attributes)

    function.__name__ = function.__qualname__ = name
    if written:
        function.__doc__ = getattr(Methods, name).__doc__
    else:
        declaration = OPS.get(name)
        assert isinstance(declaration, Elementwise)
        arguments = [
            *declaration.operands,
            *(f"{k}={v!r}" for k, v in declaration.defaults.items()),
        ]
        formula = declaration.bind({}).formula()
        function.__doc__ = f"{name}({', '.join(arguments)}) of each element: {formula}."
    return function
