"""A torch module's step in a file: one safetensors file, what it was of in the header."""

from __future__ import annotations

from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chainrule.base.errors import FileFormatError
from chainrule.base.file_kinds import FileKind
from chainrule.base.files import Pathlike, read_tensors, write_tensors
from chainrule.explanation.capturing.file import StoredAbout, about_of, facts_of

if TYPE_CHECKING:
    from chainrule.explanation.comparing.torch_trace import TorchTrace

FORMAT = "chainrule-torch-trace"
VERSION = "1"
TORCH_TRACE = FileKind("A trace of a torch module", (".safetensors",))

_PREFIX = "value "


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    about: StoredAbout  # type: ignore[valid-type]
    is_training: bool
    state: tuple[str, ...]
    names: tuple[str, ...]


def save_torch_trace(trace: TorchTrace, path: Pathlike) -> None:
    """Write it; `TorchTrace.save` calls this."""
    target = TORCH_TRACE.check(path)
    said = _Said(
        StoredAbout(**facts_of(trace.about)), trace.is_training, trace.state, tuple(trace.values)
    )
    # The header keeps no order of arrays: the names do, in which the values were computed.
    write_tensors(
        target,
        {_PREFIX + name: value for name, value in trace.values.items()},
        {"format": FORMAT, "version": VERSION, "trace": msgspec.json.encode(said).decode()},
    )


def load_torch_trace(path: Pathlike) -> TorchTrace:
    """Read it; `TorchTrace.load` calls this."""
    from chainrule.explanation.comparing.torch_trace import TorchTrace

    shown = fspath(path)
    arrays, header = read_tensors(Path(path))
    if header.get("format") != FORMAT:
        raise FileFormatError(
            f"{shown} is no trace of a torch module",
            advice="Such traces are written by cr.trace_torch(...).save(path); one of ours is read "
            "by cr.load_trace",
        )
    if header.get("version") != VERSION:
        raise FileFormatError(
            f"{shown} has version {header.get('version')!r:.40} of the format of torch traces; "
            f"this chainrule reads version {VERSION}",
            advice="Upgrade chainrule, or read it with the version that saved it",
        )
    try:
        said = msgspec.json.decode(header.get("trace", ""), type=_Said)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise FileFormatError(f"{shown} cannot be read as a torch trace: {error}") from None
    if {_PREFIX + name for name in said.names} != arrays.keys():
        raise FileFormatError(f"{shown} does not hold the values that its header names")
    values = {name: arrays[_PREFIX + name] for name in said.names}
    about = about_of(said.about, shown)
    return TorchTrace(values, about, said.is_training, said.state)
