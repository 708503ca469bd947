"""Backends run graphs. `protocol.py` says what one is; each is a folder beside it.

May import `autodiff`, `rewrite`, `ops`, `graph` and `base`; backends do not know each other. Add a
backend as a folder and a line in `BACKENDS`, which loads it on first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

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
    try:
        module = importlib.import_module("chainrule.backends.native")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "llvmlite":
            raise
        raise MissingExtraError(
            "The native backend needs llvmlite, which is not installed here",
            advice='Install it: pip install llvmlite. Or use backend="numpy"',
        ) from None
    backend: Backend = module.NativeBackend(cache=code_cache())
    return backend


def get_backend(name: str) -> Backend:
    """Return the backend of this name; ``"auto"`` is the fastest there is, today NumPy.

    Raises
    ------
    NameNotFoundError
        If there is none.
    """
    return BACKENDS.get("numpy" if name == "auto" else name)()
