"""The elementwise ops of the table as functions: each is there as soon as it is declared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from chainrule.eager.tensor import Tensor, as_tensor
from chainrule.eager.tensor import elementwise as apply_elementwise
from chainrule.ops import OPS, Elementwise


def elementwise_names() -> tuple[str, ...]:
    """The names of all elementwise ops."""
    return tuple(name for name in OPS if isinstance(OPS.get(name), Elementwise))


@cache
def elementwise_function(name: str) -> Callable[..., Tensor]:
    """The function of Tensors, arrays and numbers that is called `name`.

    Parameters
    ----------
    name : str
        An elementwise op. Where Tensor has a method of that name, the function is the method:
        ``max`` is NumPy's, over an axis, and not that of two numbers, `maximum`.

    Raises
    ------
    AttributeError
        If there is no such op.
    """
    if name not in elementwise_names():
        raise AttributeError(f"no elementwise op is called {name!r}")
    declaration = OPS.get(name)
    assert isinstance(declaration, Elementwise)
    written = callable(getattr(Tensor, name, None))

    def function(*operands: Any, **attributes: Any) -> Tensor:
        if written:
            tensor, *others = operands
            result: Tensor = getattr(as_tensor(tensor), name)(*others, **attributes)
            return result
        return apply_elementwise(name, *operands, **attributes)

    function.__name__ = function.__qualname__ = name
    if written:
        function.__doc__ = getattr(Tensor, name).__doc__
    else:
        arguments = [
            *declaration.operands,
            *(f"{k}={v!r}" for k, v in declaration.defaults.items()),
        ]
        formula = declaration.bind({}).formula()
        function.__doc__ = f"{name}({', '.join(arguments)}) of each element: {formula}."
    return function
