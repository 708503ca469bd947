"""custom: a function whose derivative the user wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import GraphError
from chainrule.graph import Graph, TensorType, parse_graph
from chainrule.ops.batching import batch_body, type_of_result
from chainrule.ops.builder import Builder, Value
from chainrule.ops.composite import unfold
from chainrule.ops.expression import Expression
from chainrule.ops.samples import bad_sample, sample
from chainrule.ops.table import Batch, Call, Op, Operands, declare


@dataclass(frozen=True)
class Custom(Op):
    """A graph with a pullback graph of its own.

    Parameters
    ----------
    body : Graph
        The function: one output.
    rule : Graph
        Its pullback: inputs are the operands, the result, the result's cotangent; outputs are
        the operands' cotangents.
    """

    body: Graph
    rule: Graph

    name: ClassVar[str] = "custom"
    arity: ClassVar[int | None] = None

    def infer(self, operands: Operands) -> TensorType:
        expected = tuple(self.body.nodes[i].type for i in self.body.inputs)
        if expected != operands or len(self.body.outputs) != 1:
            shown = ", ".join(map(str, expected))
            got = ", ".join(map(str, operands))
            raise GraphError(f"{self.body.name} takes ({shown}) to one result; got ({got})")
        return type_of_result(self.body)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        values = b.inline(self.rule, [*call.inputs, call.output, d_y])
        return [values[output.node] for output in self.rule.outputs]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return batch_body(b, self.body, batch)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        return unfold(self.body, self.body.outputs[0].node, index)

    def formula(self) -> str:
        return f"y = {self.body.name}(...)"


_CUBE = parse_graph(
    """graph cube(x: f64[3]) -> f64[3]
  %1: f64[3] = mul(x, x)
  y: f64[3] = mul(%1, x)
  return y"""
)
_CUBE_RULE = parse_graph(
    """graph cube_rule(x: f64[3], y: f64[3], d_y: f64[3]) -> f64[3]
  %3: f64[3] = mul(x, x)
  %4: f64[] = constant()  dtype=f64 value=3.0
  %5: f64[3] = mul(%3, %4)
  d_x: f64[3] = mul(%5, d_y)
  return d_x"""
)

declare(
    Custom,
    samples=(sample("f64[3]", body=_CUBE, rule=_CUBE_RULE),),
    bad_samples=(
        bad_sample(
            "cube takes (f64[3]) to one result; got (f64[4]).",
            "f64[4]",
            body=_CUBE,
            rule=_CUBE_RULE,
        ),
    ),
)
