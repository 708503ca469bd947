"""What is written to files, and by which ending of its name a file says that it holds it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from chainrule.base.errors import ConfigurationError, nearest
from chainrule.base.files import Pathlike, check_place


@dataclass(frozen=True)
class FileKind:
    """Something that is written to a file.

    Parameters
    ----------
    called : str
        Such as ``A diagram``, for errors.
    endings : tuple of str
        The endings that a file of it may have, with their dot; the usual one first.

    Examples
    --------
    >>> diagram = FileKind("A diagram", (".svg",))
    >>> diagram.check("net.svg").name
    'net.svg'
    >>> diagram.check("net.png")
    Traceback (most recent call last):
    chainrule.base.errors.ConfigurationError: A diagram is written as .svg; got net.png. Name it \
net.svg.
    """

    called: str
    endings: tuple[str, ...]

    def check(self, path: Pathlike) -> Path:
        """Return where it is to be written, if it can be; best asked before it is computed.

        Raises
        ------
        ConfigurationError
            If the file's name ends on something else, or it is a folder.
        FolderNotFoundError
            If there is no folder to write it in.
        """
        target = Path(path)
        ending = target.suffix.lower()
        if ending not in self.endings:
            *others, last = self.endings
            known = f"{', '.join(others)} or {last}" if others else last
            stem = target.stem
            while Path(stem).suffix.lower() in self.endings:  # of net.svg.gz
                stem = Path(stem).stem
            name = f"{stem or 'file'}{nearest(ending, self.endings) or self.endings[0]}"
            raise ConfigurationError(
                f"{self.called} is written as {known}; got {os.fspath(path) or 'no name'}",
                advice=f"Name it {target.with_name(name) if target.name else name}",
            )
        check_place(path)
        return target
