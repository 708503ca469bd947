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
    from chainrule.eager import Tensor as Tensor
    from chainrule.eager import argsort as argsort
    from chainrule.eager import broadcast_to as broadcast_to
    from chainrule.eager import clip as clip
    from chainrule.eager import concatenate as concatenate
    from chainrule.eager import cumsum as cumsum
    from chainrule.eager import custom_gradient as custom_gradient
    from chainrule.eager import einsum as einsum
    from chainrule.eager import expand_dims as expand_dims
    from chainrule.eager import flip as flip
    from chainrule.eager import grad as grad
    from chainrule.eager import hessian as hessian
    from chainrule.eager import jacobian as jacobian
    from chainrule.eager import jvp as jvp
    from chainrule.eager import log_sum_exp as log_sum_exp
    from chainrule.eager import matmul as matmul
    from chainrule.eager import maximum as maximum
    from chainrule.eager import minimum as minimum
    from chainrule.eager import moveaxis as moveaxis
    from chainrule.eager import norm as norm
    from chainrule.eager import one_hot as one_hot
    from chainrule.eager import outer as outer
    from chainrule.eager import pad as pad
    from chainrule.eager import prod as prod
    from chainrule.eager import repeat as repeat
    from chainrule.eager import roll as roll
    from chainrule.eager import sort as sort
    from chainrule.eager import split as split
    from chainrule.eager import squeeze as squeeze
    from chainrule.eager import stack as stack
    from chainrule.eager import std as std
    from chainrule.eager import stop_gradient as stop_gradient
    from chainrule.eager import swapaxes as swapaxes
    from chainrule.eager import take as take
    from chainrule.eager import take_along_axis as take_along_axis
    from chainrule.eager import tensor as tensor
    from chainrule.eager import tile as tile
    from chainrule.eager import top_k as top_k
    from chainrule.eager import trace as trace
    from chainrule.eager import tril as tril
    from chainrule.eager import triu as triu
    from chainrule.eager import value_and_grad as value_and_grad
    from chainrule.eager import var as var
    from chainrule.eager import vjp as vjp
    from chainrule.eager import where as where
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
    "argsort": "eager",
    "broadcast_to": "eager",
    "clip": "eager",
    "concatenate": "eager",
    "cumsum": "eager",
    "custom_gradient": "eager",
    "einsum": "eager",
    "expand_dims": "eager",
    "flip": "eager",
    "grad": "eager",
    "hessian": "eager",
    "jacobian": "eager",
    "jvp": "eager",
    "log_sum_exp": "eager",
    "matmul": "eager",
    "maximum": "eager",
    "minimum": "eager",
    "moveaxis": "eager",
    "norm": "eager",
    "one_hot": "eager",
    "outer": "eager",
    "pad": "eager",
    "prod": "eager",
    "repeat": "eager",
    "roll": "eager",
    "sort": "eager",
    "split": "eager",
    "squeeze": "eager",
    "stack": "eager",
    "std": "eager",
    "stop_gradient": "eager",
    "swapaxes": "eager",
    "take": "eager",
    "take_along_axis": "eager",
    "tensor": "eager",
    "tile": "eager",
    "top_k": "eager",
    "trace": "eager",
    "tril": "eager",
    "triu": "eager",
    "value_and_grad": "eager",
    "var": "eager",
    "vjp": "eager",
    "where": "eager",
    "load": "nn",
    "save": "nn",
    "Callback": "train",
    "EarlyStopping": "train",
    "LambdaCallback": "train",
    "Run": "train",
    "StopOnPlateau": "train",
    "fit": "train.fit",
    "load_run": "train",
    "resume": "train.resume",
}

__all__ = [*_NAMES, *_ROOMS]  # noqa: PLE0604 - the names above, once


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"chainrule.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"chainrule.{_NAMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("chainrule")
    if not name.startswith("_"):
        # Elementwise ops and methods are functions by themselves: there is no second list.
        eager = importlib.import_module("chainrule.eager")
        if name in eager.function_names():
            globals()[name] = eager.named_function(name)  # asked for once
            return globals()[name]
    raise AttributeError(f"chainrule has no {name!r}")


def __dir__() -> list[str]:
    ops = importlib.import_module("chainrule.eager").function_names()
    return sorted({*globals(), *__all__, *ops, "__version__"})
