"""Every registered layer, made with arguments that are not its defaults, and what it reads.

Tests of what all layers have in common (files, run folders, training) go through this list; a
layer that is missing here fails `test_every_layer_is_in_the_catalogue`.
"""

import numpy as np

from chainrule import nn
from tests.nn.parity import numbers

X = numbers(0, 4, 3).astype(np.float32)
WIDE = numbers(1, 4, 6).astype(np.float32)
IDS = np.array([[0, 4, 2], [1, 1, 3], [4, 4, 4], [2, 0, 1]])

# name: how it is made, and a batch for it; None where it is not called
LAYERS = {
    "Sequential": (lambda: nn.Sequential(nn.Tanh(), nn.Sequential()), X),
    "ModuleList": (lambda: nn.ModuleList([nn.Linear(3, 2), nn.ModuleList()]), None),
    "ModuleDict": (lambda: nn.ModuleDict({"b": nn.Linear(3, 2), "a": nn.ModuleDict()}), None),
    "Residual": (lambda: nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.Tanh())), X),
    "Parallel": (lambda: nn.Parallel(nn.Tanh(), nn.Linear(3, 3), combine="sum", dim=1), X),
    "Embedding": (lambda: nn.Embedding(5, 2, padding_idx=-1), IDS),
    "Bilinear": (lambda: nn.Bilinear(3, 6, 2, bias=False), (X, WIDE)),
    "Identity": (nn.Identity, X),
    "Unflatten": (lambda: nn.Unflatten(-1, (2, -1)), WIDE),
    "RestrictedBoltzmann": (lambda: nn.RestrictedBoltzmann(3, 2, weight_init="normal"), X),
    "Linear": (lambda: nn.Linear(3, 2, bias=False), X),
    "Flatten": (lambda: nn.Flatten(1, 2), X.reshape(4, 3, 1)),
    "Dropout": (lambda: nn.Dropout(0.25), X),
    "Dropout1d": (lambda: nn.Dropout1d(0.25), X.reshape(4, 3, 1)),
    "AlphaDropout": (lambda: nn.AlphaDropout(0.25), X),
    "FeatureAlphaDropout": (lambda: nn.FeatureAlphaDropout(0.25), X),
    "LayerNorm": (lambda: nn.LayerNorm((2, 3), 1e-3, bias=False), WIDE.reshape(4, 2, 3)),
    "RMSNorm": (lambda: nn.RMSNorm(3, 1e-3), X),
    "GroupNorm": (lambda: nn.GroupNorm(3, 6, 1e-3), WIDE),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3, 1e-3, 0.2, affine=False), X),
    "Sigmoid": (nn.Sigmoid, X),
    "Tanh": (nn.Tanh, X),
    "LogSigmoid": (nn.LogSigmoid, X),
    "Softplus": (lambda: nn.Softplus(2.0, 5.0), X),
    "Softsign": (nn.Softsign, X),
    "Tanhshrink": (nn.Tanhshrink, X),
    "Hardsigmoid": (nn.Hardsigmoid, X),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 0.75), X),
    "Hardshrink": (lambda: nn.Hardshrink(0.25), X),
    "Softshrink": (lambda: nn.Softshrink(0.25), X),
    "Softmax": (lambda: nn.Softmax(0), X),
    "LogSoftmax": (lambda: nn.LogSoftmax(0), X),
    "Softmin": (lambda: nn.Softmin(0), X),
    "ReLU": (nn.ReLU, X),
    "ReLU6": (nn.ReLU6, X),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.3), X),
    "Threshold": (lambda: nn.Threshold(0.5, -1.0), X),
    "ELU": (lambda: nn.ELU(0.5), X),
    "SELU": (nn.SELU, X),
    "CELU": (lambda: nn.CELU(0.5), X),
    "PReLU": (lambda: nn.PReLU(3, 0.5), X),
    "RReLU": (lambda: nn.RReLU(0.25, 0.5), X),
    "SiLU": (nn.SiLU, X),
    "Mish": (nn.Mish, X),
    "Hardswish": (nn.Hardswish, X),
    "GELU": (lambda: nn.GELU("tanh"), X),
    "GLU": (lambda: nn.GLU(1), WIDE),
    "Maxout": (lambda: nn.Maxout(3, 2, 4, bias=False), X),
}
CALLED = [name for name, (_, x) in LAYERS.items() if x is not None]
