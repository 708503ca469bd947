"""What happens around a module's `forward`: its path, its inputs, the names of its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.eager import Tensor, current_trace, here, in_scope
from chainrule.eager.tracing import current_scope
from chainrule.eager.trees import leaves
from chainrule.graph import DType
from chainrule.nn.naming import as_path, join

if TYPE_CHECKING:
    from chainrule.nn.module import Module


@dataclass(frozen=True)
class NetworkCall:
    """A network that is being called.

    Parameters
    ----------
    network : Module
        The outermost module.
    paths : mapping of int to str
        By ``id``, the paths of the modules that may be called inside.
    calls : Counter
        How often each path was called so far.
    """

    network: Module
    paths: Mapping[int, str]
    calls: Counter[str]


_CALL: ContextVar[NetworkCall | None] = ContextVar("network being called", default=None)


def call(module: Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Call ``module.forward`` under the module's path in the network that is being called.

    The first module called is the network. Its inputs are converted to its dtype, and its
    variables that have no numbers yet are drawn.
    """
    outer = _CALL.get()
    if outer is not None:
        if id(module) not in outer.paths:
            return _call_guest(module, outer, inputs, options)
        return _forward(module, outer, inputs, options)
    module.initialize()
    dtype = float_type(module)
    inputs = tuple(as_tensors(x, dtype) for x in inputs)
    options = {name: as_tensors(x, dtype) for name, x in options.items()}
    paths = {id(part): path for path, part in module.named_modules()}
    with _under_way(NetworkCall(module, paths, Counter())) as network_call:
        return _forward(module, network_call, inputs, options)


def _call_guest(
    module: Module, outer: NetworkCall, inputs: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Call a module that the network does not contain, such as ``nn.ReLU()(x)`` in `forward`."""
    path = join(current_scope(), type(module).__name__)
    own = {id(variable) for _, variable in outer.network.named_variables()}
    for name, variable in module.named_variables():
        if id(variable) in own:
            continue
        if getattr(variable, "requires_grad", False):
            raise ConfigurationError(
                f"{type(module).__name__} was called inside {type(outer.network).__name__}, which "
                f"does not contain it: its parameters would never train",
                where=here(),
                advice="Assign it to an attribute in __init__ (lists and dicts of modules are "
                "fine), or freeze its parameters",
            )
        variable.settle(0, join(path, name))
    paths = {id(part): join(path, inner) for inner, part in module.named_modules()}
    with _under_way(NetworkCall(outer.network, {**paths, **outer.paths}, outer.calls)) as guest:
        return _forward(module, guest, inputs, options)


@contextmanager
def _under_way(network_call: NetworkCall) -> Iterator[NetworkCall]:
    token = _CALL.set(network_call)
    try:
        yield network_call
    finally:
        _CALL.reset(token)


def _forward(
    module: Module, network_call: NetworkCall, inputs: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    path = network_call.paths[id(module)]
    network_call.calls[path] += 1
    number = network_call.calls[path]
    # A module that is called again draws again: the scope names its random stream.
    with in_scope(path if number == 1 else f"{path}#{number}"):
        result = module.forward(
            *(as_tensors(x) for x in inputs),
            **{name: as_tensors(x) for name, x in options.items()},
        )
    _name_outputs(result, join(path, "out"))
    return result


def _name_outputs(result: Any, name: str) -> None:
    """Call the output ``0.out``; several are ``0.out.0``, ``0.out.1``, or by key ``0.out.mean``."""
    trace = current_trace()
    if trace is None:
        return
    for path, leaf in leaves(result, name, open_modules=False):
        if isinstance(leaf, Tensor) and leaf.trace is trace:
            trace.builder.name(leaf.traced_value, as_path(path))


def as_tensors(tree: Any, dtype: DType | None = None) -> Any:
    """Arrays in `tree`, and lists of numbers, as Tensors; anything else as it is.

    Parameters
    ----------
    tree : object
        A Tensor, an array, a list of numbers; a tuple or dict of such, a list of Tensors.
    dtype : DType, optional
        What floats are converted to.
    """
    if isinstance(tree, np.ndarray | np.number | np.bool_):
        tree = Tensor(tree, _widened(tree.dtype))
    elif _is_list_of_numbers(tree):
        tree = Tensor(tree)
    if isinstance(tree, Tensor):
        return tree if dtype is None or not tree.type.dtype.is_float else tree.astype(dtype)
    if isinstance(tree, dict):
        return {key: as_tensors(part, dtype) for key, part in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [as_tensors(part, dtype) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def _widened(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a Tensor that holds the same numbers, such as those of pixels in uint8."""
    if dtype.itemsize < 4 and dtype.kind in "iuf":
        return np.dtype(np.float32 if dtype.kind == "f" else np.int64)
    return dtype


def _is_list_of_numbers(tree: Any) -> bool:
    if not isinstance(tree, list):
        return False
    first: Any = tree
    while isinstance(first, list) and first:
        first = first[0]
    return isinstance(first, list | bool | int | float | np.ndarray | np.generic)


def float_type(module: Module) -> DType | None:
    """The dtype that a network computes in: that of its first float parameter, if it has one."""
    types = (parameter.type.dtype for parameter in module.parameters())
    return next((dtype for dtype in types if dtype.is_float), None)
