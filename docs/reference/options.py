"""Options as names: an optimiser's rule, traced with numbers that remember what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.ops.expression import Expression, Operand, Symbol, apply, as_expression


class Named(float):
    """A float that knows its formula; what is computed from it knows its own.

    Code that computes with an option computes with numbers. If they are of this class, each number
    it arrives at can be written in terms of the options: 1 - 0.9 is 1 - β₁.

    Parameters
    ----------
    value : float
    formula : Expression
    known : dict of float to Expression
        Where all these numbers are noted.
    """

    formula: Expression
    known: dict[float, Expression]

    def __new__(cls, value: float, formula: Expression, known: dict[float, Expression]) -> Named:
        made = super().__new__(cls, value)
        made.formula = formula
        made.known = known
        known[float(value)] = formula
        return made

    @classmethod
    def option(cls, name: str, value: float, known: dict[float, Expression]) -> Named:
        """An option itself."""
        return cls(value, Symbol(name), known)


def _arithmetic(method: str, op: str, *, swapped: bool) -> Callable[[Named, Any], Any]:
    plain = getattr(float, method)

    def compute(self: Named, other: Any) -> Any:
        value = plain(self, other)
        if value is NotImplemented or isinstance(value, complex):
            return value
        sides: tuple[Operand, Operand] = (self.formula, _formula(other))
        return Named(value, apply(op, *(reversed(sides) if swapped else sides)), self.known)

    return compute


def _formula(number: Any) -> Expression:
    return number.formula if isinstance(number, Named) else as_expression(number)


_METHODS = (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div"), ("pow", "power"))
for _method, _op in _METHODS:
    setattr(Named, f"__{_method}__", _arithmetic(f"__{_method}__", _op, swapped=False))
    setattr(Named, f"__r{_method}__", _arithmetic(f"__r{_method}__", _op, swapped=True))


def _negated(number: Named) -> Named:
    return Named(-float(number), -number.formula, number.known)


setattr(Named, "__neg__", _negated)  # noqa: B010 - as above
