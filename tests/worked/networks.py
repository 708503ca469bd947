"""The networks of the worked examples, as their files describe them."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.data.worked import Element, WorkedExample


def build(example: WorkedExample, seed: int = 0) -> nn.Module:
    """The example's network, in float64, with the numbers that its file gives."""
    layers = []
    for layer in example.layers:
        sizes = [s for s in (layer.in_features, layer.out_features) if s is not None]
        layers.append(nn.LAYERS.get(layer.kind)(*sizes))
    net = nn.Sequential(*layers).astype(example.dtype)
    net.initialize(seed)
    net.load_state_dict(example.state(), strict=False)
    for path, parameter in net.named_parameters():
        parameter.requires_grad = path not in example.frozen
    return net


def fit(net: nn.Module, example: WorkedExample, **options: Any) -> Any:
    """Train it as its file says."""
    settings: dict[str, Any] = {
        "loss": example.loss,
        "optimizer": optim.SGD(lr=example.learning_rate),
        "batch_size": example.batch_size,
        "epochs": example.epochs,
        "dtype": example.dtype,
        "progress": False,
    }
    return cr.fit(net, example.x, example.y, **(settings | options))


def element(values: dict[str, np.ndarray], element: str) -> float:
    """One number of a recorded step; a value of the one example is indexed without its row."""
    wanted = Element.parse(element)
    array = np.asarray(values[wanted.tensor])
    if array.ndim > len(wanted.index):
        array = array[0]
    return float(array[wanted.index])
