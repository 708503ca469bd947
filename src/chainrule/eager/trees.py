"""Nested arguments: the arrays in tuples, lists, dicts and modules, each with its path.

None is a tree without leaves; so is a module, unless it is opened: then it stands for its
trainable parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from chainrule.base.errors import ShapeError, listed
from chainrule.eager.tensor import Tensor, as_tensor
from chainrule.eager.tracing import here
from chainrule.graph import format_shape


@runtime_checkable
class ParameterHolder(Protocol):
    """Something with parameters, such as a module."""

    def trainable_parameters(self) -> dict[str, Tensor]:
        """The parameters that gradients are taken of, by path."""
        ...


def is_array(leaf: object) -> bool:
    """Whether `leaf` is a Tensor or an array."""
    return isinstance(leaf, Tensor | np.ndarray)


def is_number(leaf: object) -> bool:
    """Whether `leaf` is a plain number."""
    return isinstance(leaf, int | float | np.number) and not isinstance(leaf, bool)


def leaves(tree: Any, name: str = "", *, open_modules: bool) -> Iterator[tuple[str, Any]]:
    """Every leaf of `tree` with its path, such as ``params.0.bias``.

    Parameters
    ----------
    tree : nested tuples, lists, dicts, modules
    name : str
        The path of `tree` itself.
    open_modules : bool
        A module stands for its trainable parameters; otherwise it has no leaves.
    """
    if is_array(tree) or is_number(tree):  # by far the most
        yield name, tree
    elif isinstance(tree, dict | tuple | list):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(branch, _join(name, key), open_modules=open_modules)
    elif isinstance(tree, ParameterHolder):
        if open_modules:
            for path, parameter in tree.trainable_parameters().items():
                yield _join(name, path), parameter
    elif tree is not None:
        yield name, tree


def rebuild(tree: Any, replacements: Iterator[Any], *, open_modules: bool) -> Any:
    """Put `replacements` in the place of the leaves, in order; an opened module becomes a dict."""
    if isinstance(tree, dict):
        return {
            key: rebuild(branch, replacements, open_modules=open_modules)
            for key, branch in tree.items()
        }
    if isinstance(tree, tuple | list):
        branches = [rebuild(branch, replacements, open_modules=open_modules) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    if is_array(tree) or is_number(tree):
        return next(replacements)
    if isinstance(tree, ParameterHolder):
        if not open_modules:
            return tree
        return {path: next(replacements) for path in tree.trainable_parameters()}
    return None if tree is None else next(replacements)


def matching_leaves(tree: Any, pattern: Any, what: str) -> list[Tensor]:
    """The leaves of `tree` that stand, path by path, for the float leaves of `pattern`.

    Parameters
    ----------
    tree, pattern : nested tuples, lists, dicts, modules
    what : str
        What `tree` is, for errors: ``"tangent"``.

    Raises
    ------
    ShapeError
        If they have other paths, or a leaf another shape.
    """
    given = dict(leaves(tree, open_modules=True))
    wanted = {path: as_tensor(leaf).type for path, leaf in leaves(pattern, open_modules=True)}
    wanted = {path: kind for path, kind in wanted.items() if kind.dtype.is_float}
    if given.keys() != wanted.keys():
        expected, got = (listed([path or "an array" for path in each]) for each in (wanted, given))
        raise ShapeError(
            f"A {what} has the structure of its value, {expected}; got {got or 'nothing'}",
            where=here(),
        )
    tensors = {path: as_tensor(leaf) for path, leaf in given.items()}
    for path, kind in wanted.items():
        if tensors[path].shape != kind.shape:
            at = f" at {path}" if path else ""
            raise ShapeError(
                f"A {what} has the shape of its value{at}, {format_shape(kind.shape)}; "
                f"got {format_shape(tensors[path].shape)}",
                where=here(),
            )
    return [tensors[path].astype(kind.dtype) for path, kind in wanted.items()]


def zeros_like(like: Tensor) -> Tensor:
    """Zeros of this shape and dtype."""
    return Tensor(np.zeros(tuple(map(int, like.shape)), like.dtype))


def modules(tree: Any) -> Iterator[ParameterHolder]:
    """Every module in `tree`."""
    if isinstance(tree, dict | tuple | list):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from modules(branch)
    elif not is_array(tree) and isinstance(tree, ParameterHolder):
        yield tree


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
