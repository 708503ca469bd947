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
    from chainrule.eager import broadcast_to as broadcast_to
    from chainrule.eager import concatenate as concatenate
    from chainrule.eager import custom_gradient as custom_gradient
    from chainrule.eager import grad as grad
    from chainrule.eager import hessian as hessian
    from chainrule.eager import jacobian as jacobian
    from chainrule.eager import jvp as jvp
    from chainrule.eager import matmul as matmul
    from chainrule.eager import take as take
    from chainrule.eager import tensor as tensor
    from chainrule.eager import trace as trace
    from chainrule.eager import value_and_grad as value_and_grad
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
    "broadcast_to": "eager",
    "concatenate": "eager",
    "custom_gradient": "eager",
    "grad": "eager",
    "hessian": "eager",
    "jacobian": "eager",
    "jvp": "eager",
    "matmul": "eager",
    "take": "eager",
    "tensor": "eager",
    "trace": "eager",
    "value_and_grad": "eager",
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
    raise AttributeError(f"chainrule has no {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
