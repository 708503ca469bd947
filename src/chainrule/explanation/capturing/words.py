"""Errors in the words of whoever was called: explain prepares a step as fit does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.base.errors import ChainruleError


@contextmanager
def spoken_by(function: str, instead_of: str = "fit") -> Iterator[None]:
    """Let errors inside that speak of `fit`, or another function, speak of this one.

    Only where it stands as the one who was called: what a user named "fit" stays.
    """
    # Where it names itself: as the subject of the message, or in what to write instead.
    itself = re.compile(rf"^{instead_of}(?= )|(?<=^Call ){instead_of}(?=\()")
    try:
        yield
    except ChainruleError as error:
        error.message = itself.sub(function, error.message)
        error.args = (error.message, *error.args[1:])
        if error.advice is not None:
            error.advice = itself.sub(function, error.advice)
        raise
