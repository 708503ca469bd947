"""Errors in the words of whoever was called: explain prepares a step as fit does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.base.errors import ChainruleError

_FIT = re.compile(r"^fit(?= )|(?<=^Call )fit(?=\()")
"""Where `fit` names itself: as the subject of the message, or in what to write instead."""


@contextmanager
def spoken_by(function: str) -> Iterator[None]:
    """Let errors inside that speak of `fit` speak of this function.

    Only where `fit` stands as the one who was called: what a user named "fit" stays.
    """
    try:
        yield
    except ChainruleError as error:
        error.message = _FIT.sub(function, error.message)
        error.args = (error.message, *error.args[1:])
        if error.advice is not None:
            error.advice = _FIT.sub(function, error.advice)
        raise
