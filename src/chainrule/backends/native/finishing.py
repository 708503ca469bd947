"""Finishing products: elementwise nodes take sums while these are in registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from chainrule.backends.native.lowered import Lowered
from chainrule.backends.native.nest import Affine, Apply, Let, Local, Statement, Value, Write, index
from chainrule.backends.native.products import Epilogue
from chainrule.backends.native.target import Target

Compute = Callable[[Sequence[Affine], int | None, int], Sequence[Statement]]
"""Writes elementwise nodes at a place, given how many of how many lanes have one."""


@dataclass
class Finish(Epilogue):
    """Goes on with the sums of a product.

    Of what must be finite, x - x is added up: 0 if all are, and NaN otherwise.

    Parameters
    ----------
    name : str
        Of the local that a sum is.
    compute : callable
    watched : sequence of str
        Locals of the product's dtype that must be finite.
    lowered : Lowered
    target : Target
    reads_far : bool
    """

    name: str
    compute: Compute
    watched: Sequence[str]
    lowered: Lowered
    target: Target
    reads_far: bool = False
    _zeros: dict[tuple[str, int | None], Local] = field(default_factory=dict)

    def take(
        self, row: Affine, column: Affine, total: Local, limit: int | None
    ) -> Sequence[Statement]:
        lanes = self.target.lanes(total.dtype)
        body: list[Statement] = [Let(self.name, total)]
        body += self.compute([row, column], limit, lanes)
        for watched in self.watched:
            value = Local(watched, total.dtype)
            zero: Value = Apply("sub", (value, value), value.dtype)
            if (watched, limit) in self._zeros:
                zero = Apply("add", (self._zeros[watched, limit], zero), value.dtype)
            name = f"{watched}.zeros" if limit is None else f"{watched}.zeros{limit}"
            self._zeros[watched, limit] = Local(name, value.dtype)
            body.append(Let(name, zero))
        return body

    def end(self) -> Sequence[Statement]:
        body = []
        for (_, limit), zeros in self._zeros.items():
            view = self.lowered.zeros_of(zeros.dtype, self.target.lanes(zeros.dtype))
            so_far = replace(view.read([index("l")]), limit=limit)
            added = Apply("add", (so_far, zeros), zeros.dtype)
            body.append(Write(view.buffer, index("l"), added, limit))
        self._zeros = {}
        return body
