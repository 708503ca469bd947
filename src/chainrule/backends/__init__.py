"""Backends run graphs. `protocol.py` says what one is; each is a folder beside it.

May import `autodiff`, `rewrite`, `ops`, `graph` and `base`; backends do not know each other. Add a
backend as a folder and a line in `BACKENDS`, which loads it on first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from chainrule.backends.protocol import Advanced as Advanced
from chainrule.backends.protocol import Array as Array
from chainrule.backends.protocol import Backend as Backend
from chainrule.backends.protocol import Program as Program
from chainrule.backends.protocol import Rows as Rows
from chainrule.backends.protocol import Session as Session
from chainrule.backends.protocol import Wiring as Wiring
from chainrule.base.errors import MissingExtraError
from chainrule.base.places import code_cache
from chainrule.base.registry import Registry

BACKENDS: Registry[Callable[[], Backend]] = Registry("backend")


@BACKENDS.register("numpy")
def _numpy() -> Backend:
    module = importlib.import_module("chainrule.backends.numpy")
    backend: Backend = module.BACKEND
    return backend


@BACKENDS.register("native")
def _native() -> Backend:
    why_not = _why_not_native()
    if why_not is not None:
        raise MissingExtraError(why_not, advice=_ADVICE)
    backend: Backend = _new_native()
    return backend


_ADVICE = 'Install it: pip install llvmlite. Or use backend="numpy"'


def _new_native() -> Any:
    # Made anew each time: what the environment says of the cache is read here, and nowhere below.
    return importlib.import_module("chainrule.backends.native").NativeBackend(cache=code_cache())


@cache
def _why_not_native() -> str | None:
    backend = _new_native()
    try:
        backend.start()
    except ModuleNotFoundError as error:
        if error.name != "llvmlite":
            return _broken(error)
        return "The native backend needs llvmlite, which is not installed here"
    except Exception as error:  # a library that is broken raises anything
        return _broken(error)
    return None


def _broken(error: Exception) -> str:
    told = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"The native backend needs llvmlite, which does not start here: {told}"


def why_not_native() -> str | None:
    """Say in one line why ``"auto"`` is NumPy; None where it is not."""
    why_not = _why_not_native()
    return why_not and f"{why_not}. So NumPy computes, more slowly. {_ADVICE}."


def get_backend(name: str) -> Backend:
    """Return the backend of this name; ``"auto"`` is native where llvmlite starts, else NumPy.

    Raises
    ------
    NameNotFoundError
        If there is none.
    MissingExtraError
        If what it needs is not there.
    """
    if name == "auto":
        name = "native" if _why_not_native() is None else "numpy"
    return BACKENDS.get(name)()
