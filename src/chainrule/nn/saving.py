"""Networks in files: parameters as safetensors, with what the network is made of beside them."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from chainrule.base.errors import FileFormatError
from chainrule.base.files import read_tensors, write_tensors
from chainrule.nn.module import LAYERS, Module

_FORMAT = "chainrule-network-1"


def save(net: Module, path: str | PathLike[str]) -> None:
    """Write a network's parameters and buffers, and its architecture where it is made of ours.

    Parameters
    ----------
    net : Module
    path : path
        A ``.safetensors`` file; one that exists is replaced durably.
    """
    metadata = {"format": _FORMAT}
    architecture = describe(net)
    if architecture is not None:
        metadata["architecture"] = json.dumps(architecture)
    write_tensors(Path(path), net.state_dict(), metadata)


def load(path: str | PathLike[str], into: Module | None = None) -> Module:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : path
    into : Module, optional
        A network to load the numbers into; needed for one made of classes of your own, which
        no file can name.

    Raises
    ------
    FileFormatError
        If the file is damaged, or does not hold what it needs.
    NameNotFoundError, ShapeError
        If the numbers do not fit the network.
    """
    state, metadata = read_tensors(Path(path))
    net = into
    if net is None:
        if "architecture" not in metadata:
            raise FileFormatError(
                f"{path} holds numbers without an architecture that can be built from it",
                advice="Build the network and pass it: cr.load(path, into=net)",
            )
        net = build(_parse(metadata["architecture"], path), where=str(path))
        for name, parameter in net.named_parameters():
            if name in state:
                parameter.convert(state[name].dtype)
        net.initialize()
        for name, buffer in net.named_buffers():
            if name in state:
                buffer.convert(state[name].dtype)
    net.load_state_dict(state)
    return net


def describe(net: Module) -> Any:
    """The architecture as plain data, or None where it cannot be said in registered layers."""
    name = type(net).__name__
    if name not in LAYERS or LAYERS.get(name) is not type(net):
        return None
    arguments: dict[str, Any] = {}
    for key, value in net.configuration().items():
        if isinstance(value, tuple) and all(isinstance(v, Module) for v in value):
            parts = [describe(v) for v in value]
            if None in parts:
                return None
            arguments[key] = parts
        elif isinstance(value, int | float | str | bool) or value is None:
            arguments[key] = value
        elif not callable(value):  # an initializer has done its work
            return None
    frozen = [n for n, p in net.named_parameters() if not p.requires_grad and "." not in n]
    return {"layer": name, "arguments": arguments} | ({"frozen": frozen} if frozen else {})


def build(description: Any, where: str) -> Module:
    """Make the network that `describe` described.

    Raises
    ------
    FileFormatError
        If the description is malformed or names a layer that is not registered.
    """
    try:
        layer = LAYERS.get(description["layer"], where=where)
        arguments = dict(description["arguments"])
        modules = arguments.pop("modules", None)
        if modules is not None:
            net = layer(*(build(part, where) for part in modules), **arguments)
        else:
            net = layer(**arguments)
        for name in description.get("frozen", ()):
            dict(net.named_parameters())[name].requires_grad = False
        return net
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileFormatError(
            f"{where} describes a network that cannot be built: {error}"
        ) from None


def _parse(text: str, path: object) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FileFormatError(f"{path} has a malformed architecture: {error}") from None
