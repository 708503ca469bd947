"""Ask one rule alone: the others, and their trials, take their time."""

from __future__ import annotations

import inspect
from typing import Any

import chainrule as cr
from chainrule import nn
from chainrule.explanation.diagnosing import RULES
from chainrule.explanation.diagnosing.case import set_up
from chainrule.explanation.diagnosing.evidence import Evidence

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(cr.doctor).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
}


def ask(rule: str, net: nn.Module, x: Any, y: Any, **options: Any) -> list[Any]:
    """What one rule finds before training."""
    evidence = Evidence(set_up(net, x, y, **{**DEFAULTS, **options}))
    return RULES[rule].findings(evidence)


def network(inputs: int, outputs: int = 1) -> nn.Sequential:
    """One that is quickly made."""
    return nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))
