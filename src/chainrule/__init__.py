"""chainrule: backpropagation that trains at the speed of the machine and explains every number.

Names load on first use, so that ``import chainrule`` stays light.

Examples
--------
>>> import chainrule as cr
>>> t = cr.tensor(2.0)
>>> y = (t * 3).exp()
>>> y.backward()
>>> t.grad.item() == 3 * y.item()
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule import data as data
    from chainrule import nn as nn
    from chainrule import optim as optim
    from chainrule import testing as testing
    from chainrule.eager.curvature import *
    from chainrule.eager.custom import *
    from chainrule.eager.functions import *
    from chainrule.eager.order import *
    from chainrule.eager.per_example import *
    from chainrule.eager.products import *
    from chainrule.eager.shapes import *
    from chainrule.eager.statistics import *
    from chainrule.eager.tensor import Tensor as Tensor
    from chainrule.eager.tensor import tensor as tensor
    from chainrule.eager.traced import trace as trace
    from chainrule.eager.transforms import *
    from chainrule.explanation import Doctor as Doctor
    from chainrule.explanation import check as check
    from chainrule.explanation import check_function as check_function
    from chainrule.explanation import diff as diff
    from chainrule.explanation import doctor as doctor
    from chainrule.explanation import exercise as exercise
    from chainrule.explanation import explain as explain
    from chainrule.explanation import grade as grade
    from chainrule.explanation import load_trace as load_trace
    from chainrule.explanation import trace_torch as trace_torch
    from chainrule.nn import load as load
    from chainrule.nn import save as save
    from chainrule.train import Callback as Callback
    from chainrule.train import EarlyStopping as EarlyStopping
    from chainrule.train import LambdaCallback as LambdaCallback
    from chainrule.train import Run as Run
    from chainrule.train import StopOnPlateau as StopOnPlateau
    from chainrule.train import load_run as load_run
    from chainrule.train.fit import fit as fit
    from chainrule.train.resume import resume as resume

_ROOMS = ("data", "nn", "optim", "testing")
_NAMES = {
    "Tensor": "eager",
    "tensor": "eager",
    "trace": "eager",
    "load": "nn",
    "save": "nn",
    "Doctor": "explanation",
    "check": "explanation",
    "check_function": "explanation",
    "diff": "explanation",
    "doctor": "explanation",
    "exercise": "explanation",
    "explain": "explanation",
    "grade": "explanation",
    "load_trace": "explanation",
    "trace_torch": "explanation",
    "Callback": "train",
    "EarlyStopping": "train",
    "LambdaCallback": "train",
    "Run": "train",
    "StopOnPlateau": "train",
    "fit": "train.fit",
    "load_run": "train",
    "resume": "train.resume",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"chainrule.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"chainrule.{_NAMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("chainrule")
    if name == "__all__":
        return [*_NAMES, *_ROOMS, *_eager().public_functions()]
    if not name.startswith("_"):
        eager = _eager()
        if name in eager.public_functions():
            found = getattr(eager, name)
        elif name in eager.function_names():  # elementwise ops and methods, as functions
            found = eager.named_function(name)
        else:
            raise AttributeError(f"chainrule has no {name!r}")
        globals()[name] = found  # asked for once
        return found
    raise AttributeError(f"chainrule has no {name!r}")


def __dir__() -> list[str]:
    ops = _eager().function_names()
    return sorted({*globals(), *__getattr__("__all__"), *ops, "__version__"})


def _eager() -> Any:
    return importlib.import_module("chainrule.eager")
