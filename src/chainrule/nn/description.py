"""A network as plain data: which registered layers it is made of, and how they hang together."""

from __future__ import annotations

import inspect
import math
from collections import OrderedDict
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

from chainrule.base.errors import FileFormatError
from chainrule.base.registry import Registry
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Buffer, Parameter, Variable

DEPTH_AT_MOST = 64
PATHS_AT_MOST = 100_000


def describe(net: Module) -> dict[str, Any] | None:
    """Describe a network in JSON's types, or return None where registered layers cannot say it.

    Parameters
    ----------
    net : Module

    Returns
    -------
    dict or None
        ``network``: the layers with their arguments; ``frozen``: paths of parameters that do not
        train; ``shared``: further paths of a shared module or variable, to its first path.

    Examples
    --------
    >>> from chainrule import nn
    >>> describe(nn.Dropout(0.2))["network"]
    {'layer': 'Dropout', 'arguments': {'p': 0.2}}
    """
    frozen = [path for path, parameter in net.named_parameters() if not parameter.requires_grad]
    rest = {"frozen": frozen, "shared": _shared(net)}
    # A network may have been changed since its layers were made. Their arguments are looked for in
    # their attributes, then as they were given, and what does not come back the same is not it.
    for now in (True, False):
        try:
            description = {"network": _describe_module(net, now, 0), **rest}
            if _facts(build(description, "The description")) == _facts(net):
                return description
        except (_Indescribable, FileFormatError):
            continue
    return None


def build(description: Any, where: str) -> Module:
    """Make the network that `describe` described; nothing is drawn, no memory taken.

    Parameters
    ----------
    description : object
        Of whatever a file holds.
    where : str
        The file, for the error.

    Raises
    ------
    FileFormatError
        If the description is malformed or names a layer that is not registered.
    """
    try:
        net = _build_module(description["network"], 0)
        parameters = dict(net.named_parameters())
        for path in description["frozen"]:
            parameters[path].requires_grad = False
        for path, first in description["shared"].items():
            _share(net, path, first)
        _check_paths(net)
    except Exception as error:  # whatever a layer's constructor makes of what the file holds
        reason = f"it lacks {error}" if type(error) is KeyError else str(error).partition("\n")[0]
        raise FileFormatError(
            f"{where} describes a network that cannot be built: {reason}",
            advice="Build the network and pass it: cr.load(path, into=net)",
        ) from None
    return net


class _Indescribable(Exception):
    """A module that is not registered, or was made with something that is not data."""


def _describe_module(module: Module, now: bool, depth: int) -> dict[str, Any]:
    name = _registered_name(LAYERS, type(module))
    if name is None or depth > DEPTH_AT_MOST:
        raise _Indescribable
    drawn_by = [v.initializer for v in vars(module).values() if isinstance(v, Variable)]
    # Some are drawn by a rule around another one.
    drawn_by += [getattr(rule, "rule", None) for rule in drawn_by]
    arguments = {}
    for key, value in module.configuration(now=now).items():
        try:
            arguments[key] = _describe_argument(value, now, depth)
        except _Indescribable:
            # A function of the user's that the parameters were drawn by has done its work.
            if not any(value is rule for rule in drawn_by):
                raise
    return {"layer": name, "arguments": arguments}


def _describe_argument(value: Any, now: bool, depth: int) -> Any:
    if isinstance(value, Module):
        return _describe_module(value, now, depth + 1)
    initializer = _registered_name(INITIALIZERS, type(value))
    if initializer is not None and is_dataclass(value):
        arguments = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"initializer": initializer, "arguments": arguments}
    if isinstance(value, OrderedDict):
        return {"named": [[k, _describe_argument(v, now, depth)] for k, v in value.items()]}
    if isinstance(value, tuple | list):
        return [_describe_argument(part, now, depth) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}  # which JSON has not
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise _Indescribable


def _registered_name(registry: Registry[Any], thing: object) -> str | None:
    return next((name for name, registered in registry.items() if registered is thing), None)


def _build_module(description: Any, depth: int) -> Module:
    if depth > DEPTH_AT_MOST:
        raise ValueError(f"layers inside layers, more than {DEPTH_AT_MOST} deep")
    layer = LAYERS.get(description["layer"])
    given = {k: _build_argument(v, depth) for k, v in description["arguments"].items()}
    signature = inspect.signature(layer)
    known = inspect.BoundArguments(
        signature, OrderedDict((k, v) for k, v in given.items() if k in signature.parameters)
    )
    unknown = {k: v for k, v in given.items() if k not in signature.parameters}
    return layer(*known.args, **known.kwargs, **unknown)


def _build_argument(value: Any, depth: int) -> Any:
    if isinstance(value, dict) and "initializer" in value:
        return INITIALIZERS.get(value["initializer"])(**value["arguments"])
    if isinstance(value, dict) and "named" in value:
        return OrderedDict((name, _build_argument(part, depth)) for name, part in value["named"])
    if isinstance(value, dict) and "number" in value:
        return float(value["number"])
    if isinstance(value, dict):
        return _build_module(value, depth + 1)
    if isinstance(value, list):
        return [_build_argument(part, depth) for part in value]
    return value


def _shared(net: Module) -> dict[str, str]:
    """The paths at which something stands again, to the first path of it."""
    first: dict[int, str] = {}
    again: dict[str, str] = {}
    everything = [*net.modules_by_every_path(), *net.variables_by_every_path()]
    for path, part in everything:
        earlier = first.setdefault(id(part), path)
        # What is inside a shared module is shared with it.
        if earlier != path and not any(path.startswith(f"{outer}.") for outer in again):
            again[path] = earlier
    return again


def _share(net: Module, path: str, first: str) -> None:
    if not first or f"{path}.".startswith(f"{first}."):
        raise ValueError(f"{path} cannot be {first or 'the network'}, which contains it")
    new = _find(net, first)
    place, _, name = path.rpartition(".")
    holder = _find(net, place)
    old = _step(holder, name)
    both = (old, new)
    if not any(all(isinstance(p, kind) for p in both) for kind in (Module, Parameter, Buffer)):
        raise ValueError(f"{path} and {first} cannot be one")
    if isinstance(holder, Module):
        setattr(holder, name, new)
    else:
        holder[int(name) if isinstance(holder, list) else name] = new


def _find(net: Module, path: str) -> Any:
    """What stands at a path: a module, a variable, or a list or dict of them."""
    found: Any = net
    for name in filter(None, path.split(".")):
        found = _step(found, name)
    return found


def _step(place: Any, name: str) -> Any:
    if isinstance(place, Module):
        return vars(place)[name]
    return place[int(name)] if isinstance(place, list | tuple) else place[name]


def _check_paths(net: Module) -> None:
    # A block of two that are one, in a block of two that are one, and so on: a small file, and
    # more paths than there is time to walk.
    paths = sum(1 for _ in islice(net.modules_by_every_path(), PATHS_AT_MOST + 1))
    if paths > PATHS_AT_MOST:
        raise ValueError(f"its modules stand at more than {PATHS_AT_MOST} paths")


def _facts(net: Module) -> list[object]:
    """What two networks that compute the same by the same names have in common."""
    first: dict[int, str] = {}
    facts: list[object] = []
    for path, module in net.modules_by_every_path():
        arguments = module.configuration().items()
        plain = {k: v for k, v in arguments if isinstance(v, bool | int | float | str)}
        facts.append((path, type(module), plain, first.setdefault(id(module), path)))
    for path, variable in net.variables_by_every_path():
        frozen = isinstance(variable, Parameter) and not variable.requires_grad
        same = first.setdefault(id(variable), path)
        facts.append((path, type(variable), variable.shape, frozen, same))
    return facts
