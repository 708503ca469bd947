"""The textbooks' names for a plain chain of layers: W1, b1, z1, a1, δ1."""

from __future__ import annotations

from chainrule.nn.activations import Activation
from chainrule.nn.containers import Sequential
from chainrule.nn.layers import Linear
from chainrule.nn.module import Module


def textbook_aliases(net: Module) -> dict[str, str]:
    """Aliases for a `Sequential` of `Linear` layers and activations; empty for anything else.

    Parameters
    ----------
    net : Module

    Returns
    -------
    dict of str to str
        Alias to canonical name: ``W1`` to ``0.weight``, ``z1`` to ``0.out``, ``a1`` to ``1.out``,
        ``δ1`` to ``d_0.out``.

    Examples
    --------
    >>> from chainrule import nn
    >>> textbook_aliases(nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()))
    {'W1': '0.weight', 'b1': '0.bias', 'z1': '0.out', 'δ1': 'd_0.out', 'a1': '1.out'}
    """
    if not isinstance(net, Sequential):
        return {}
    aliases: dict[str, str] = {}
    layer = 0
    for i, module in net.named_children():
        if isinstance(module, Linear):
            layer += 1
            aliases[f"W{layer}"] = f"{i}.weight"
            if module.bias is not None:
                aliases[f"b{layer}"] = f"{i}.bias"
            aliases[f"z{layer}"] = f"{i}.out"
            aliases[f"δ{layer}"] = f"d_{i}.out"
        elif isinstance(module, Activation) and layer and f"a{layer}" not in aliases:
            aliases[f"a{layer}"] = f"{i}.out"
        else:
            return {}
    return aliases
