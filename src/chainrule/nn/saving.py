"""Networks in files: parameters as safetensors, with what the network is made of beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError, FileFormatError
from chainrule.base.file_kinds import FileKind
from chainrule.base.files import read_tensors, write_tensors
from chainrule.eager.tensor import Array
from chainrule.nn.description import build, describe
from chainrule.nn.module import Module

NETWORK = FileKind("A network", (".safetensors",))

_FORMAT = "chainrule-network-1"
_CHARACTERS_AT_MOST = (
    2**22
)  # some 100,000 layers: what they are built of takes a hundred times that


def save(net: Module, path: str | PathLike[str]) -> None:
    """Write a network's parameters and buffers, and its architecture where it is made of ours.

    Parameters
    ----------
    net : Module
    path : path
        A ``.safetensors`` file; one that exists is replaced durably. Its folder must exist.

    Raises
    ------
    ConfigurationError
        If it is no ``.safetensors`` file.
    OSError
        As the system says; FolderNotFoundError is one.
    """
    NETWORK.check(path)
    metadata = {"format": _FORMAT}
    description = describe(net)
    text = json.dumps(description)
    if description is not None and len(text) <= _CHARACTERS_AT_MOST:
        metadata["architecture"] = text
    write_tensors(path, net.state_dict(), metadata)


def load(path: str | PathLike[str], into: Module | None = None) -> Module:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : path
    into : Module, optional
        A network to load the numbers into, in its dtypes; needed for one made of classes of your
        own, which no file can name. Then the file may be anyone's safetensors.

    Raises
    ------
    FileFormatError
        If the file is damaged, or does not hold what it needs.
    NameNotFoundError, ShapeError
        If the numbers do not fit the network `into`.
    """
    state, metadata = read_tensors(path)
    if into is not None:
        into.load_state_dict(state)
        return into
    shown = fspath(path)
    if "architecture" not in metadata:
        raise FileFormatError(
            f"{shown} holds numbers, and no description of a network of chainrule's own layers",
            advice="Build the network and pass it: cr.load(path, into=net)",
        )
    if metadata.get("format") != _FORMAT:
        raise FileFormatError(
            f'{shown} has the format "{metadata.get("format", "")!s:.40}"; this version reads '
            f'"{_FORMAT}"',
            advice="Upgrade chainrule, or build the network and pass it: cr.load(path, into=net)",
        )
    net = build(_parse(metadata["architecture"], shown), shown)
    try:
        _take_dtypes(net, state)
        net.load_state_dict(state)
    except ChainruleError as error:
        raise FileFormatError(
            f"{shown} describes one network and holds the numbers of another: {error}"
        ) from None
    return net


def _parse(text: str, shown: str) -> Any:
    if len(text) > _CHARACTERS_AT_MOST:
        raise FileFormatError(
            f"{shown} describes a network in {len(text)} characters, over the limit of "
            f"{_CHARACTERS_AT_MOST}"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{shown} has a malformed architecture: {error}") from None


def _take_dtypes(net: Module, state: Mapping[str, Array]) -> None:
    """Let the network, still without numbers, compute in the dtypes of the file."""
    for path, variable in net.named_variables():
        if variable.type.dtype.is_float and path in state:
            variable.convert(np.float64 if state[path].dtype == np.float64 else np.float32)
