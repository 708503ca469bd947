"""Products of tensors by the names of their axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager.axes import reshape, transpose
from chainrule.eager.promotion import promote
from chainrule.eager.tensor import Tensor, apply, as_tensor
from chainrule.eager.tracing import here
from chainrule.graph import format_shape


def outer(a: Any, b: Any) -> Tensor:
    """All products of an element of `a` and one of `b`, each read as one row."""
    left, right = as_tensor(a), as_tensor(b)
    return reshape(left, (-1, 1)) * reshape(right, (1, -1))


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Products of elements, summed over the axes that the result does not name.

    Parameters
    ----------
    subscripts : str
        A letter for each axis of each operand, then the result's: ``"ij,jk->ik"`` is the matrix
        product. Without ``->`` the result has the letters that occur once, in alphabetical order.
    *operands : array_like
        Integers are multiplied as float64, as by ``@``.

    Raises
    ------
    ShapeError
        If letters and axes do not fit.

    Notes
    -----
    Operands are combined from left to right; an axis is summed as soon as no later operand and
    not the result names it.
    """
    inputs, result = _parse(subscripts, len(operands))
    dtype = promote(operands, needs_float=True)
    tensors = [as_tensor(operand).astype(dtype) for operand in operands]
    sizes: dict[str, int] = {}
    for letters, tensor in zip(inputs, tensors, strict=True):
        _check_axes(subscripts, letters, tensor, sizes)
    names, product = inputs[0], tensors[0]
    for i, (letters, tensor) in enumerate(zip(inputs[1:], tensors[1:], strict=True), start=1):
        later = result + "".join(inputs[i + 1 :])
        names, product = _combine(names, product, letters, tensor, later)
    names, product = _sum_out(names, product, result)
    order = [names.index(letter) for letter in result]
    return product if order == list(range(len(order))) else transpose(product, order)


def _parse(subscripts: str, count: int) -> tuple[list[str], str]:
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != count:
        raise ShapeError(
            f'einsum "{subscripts}" describes {len(inputs)} operands; got {count}', where=here()
        )
    every = "".join(inputs)
    if not arrow:
        result = "".join(sorted(letter for letter in set(every) if every.count(letter) == 1))
    if not (every + result).isalpha() and every + result:
        raise _refuse(subscripts, "axes are named by letters")
    for letters in (*inputs, result):
        if len(set(letters)) < len(letters):
            raise _refuse(subscripts, f'"{letters}" names an axis twice')
    unknown = sorted(set(result) - set(every))
    if unknown:
        raise _refuse(subscripts, f'no operand has the axis "{unknown[0]}" of the result')
    return inputs, result


def _check_axes(subscripts: str, letters: str, tensor: Tensor, sizes: dict[str, int]) -> None:
    if len(letters) != tensor.ndim:
        raise _refuse(subscripts, f'"{letters}" is for shape {format_shape(tensor.shape)}')
    for letter, size in zip(letters, tensor.shape, strict=True):
        if sizes.setdefault(letter, int(size)) != size:
            raise _refuse(
                subscripts, f'the axis "{letter}" has size {sizes[letter]} and size {int(size)}'
            )


def _combine(a: str, x: Tensor, b: str, y: Tensor, later: str) -> tuple[str, Tensor]:
    a, x = _sum_out(a, x, b + later)
    b, y = _sum_out(b, y, a + later)
    both = [letter for letter in a if letter in b]
    over = _pairs([letter for letter in both if letter not in later], a, b)
    batch = _pairs([letter for letter in both if letter in later], a, b)
    product = apply("contract", x, y, over=over, batch=batch)
    kept = [letter for letter in both if letter in later]
    free = [letter for letter in a if letter not in b] + [letter for letter in b if letter not in a]
    return "".join(kept + free), product


def _pairs(letters: Sequence[str], a: str, b: str) -> tuple[int, ...]:
    return tuple(axis for letter in letters for axis in (a.index(letter), b.index(letter)))


def _sum_out(letters: str, x: Tensor, kept: str) -> tuple[str, Tensor]:
    axes = [i for i, letter in enumerate(letters) if letter not in kept]
    if not axes:
        return letters, x
    return "".join(letter for letter in letters if letter in kept), x.sum(axis=axes)


def _refuse(subscripts: str, why: str) -> ShapeError:
    return ShapeError(f'einsum "{subscripts}": {why}', where=here())
