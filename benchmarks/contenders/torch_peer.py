"""PyTorch: a training loop as in its tutorials, eager or with the model compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from benchmarks.contenders.by_hand import mean_square_norm
from benchmarks.micro import Function, Product
from benchmarks.task import Array, Cursor, Runner, Task, Unsupported
from benchmarks.workloads import Workload

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "none": nn.Identity}


def open_task(
    task: Task, arrays: Mapping[str, Array], threads: int, *, compiled: bool = False
) -> Runner:
    """Begin a task."""
    torch.set_num_threads(threads)
    if isinstance(task, Workload):
        runner = PerExample if task.per_example else Training
        return runner(task, arrays, compiled=compiled)
    if compiled:
        raise Unsupported("There is nothing to compile in one operation")
    return Operation(task, arrays)


class Model(nn.Module):  # type: ignore[misc]
    """Layers and the loss."""

    def __init__(self, task: Workload) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        layers = task.layers()
        for i, (weight, bias) in enumerate(layers):
            layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=getattr(torch, task.dtype))
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weight))
                layer.bias.copy_(torch.from_numpy(bias))
            layer.bias.requires_grad_(task.trains_biases)
            last = i == len(layers) - 1
            parts += [layer, ACTIVATIONS[task.output if last else task.hidden]()]
        self.net = nn.Sequential(*parts)
        self.loss = task.loss

    def forward(self, x: Any, target: Any) -> Any:
        """The mean loss."""
        output = self.net(x)
        if self.loss == "cross_entropy":
            return functional.cross_entropy(output, target)
        if self.loss == "mse":
            return functional.mse_loss(output, target)
        return functional.mse_loss(output, target, reduction="sum") * (0.5 / len(x))


class Batches:
    """The batches of consecutive steps."""

    def __init__(self, task: Workload, arrays: Mapping[str, Array]) -> None:
        self.x, self.target = (torch.from_numpy(arrays[name]) for name in ("x", "target"))
        self.cursor = Cursor(arrays["rows"])
        # What a loader would have made before: an index tensor for each, or the batches
        # themselves, where they are always the same.
        self.rows = list(torch.from_numpy(arrays["rows"]).unbind())
        self.ready = None
        if not task.shuffled:
            whole = [(self.x[rows], self.target[rows]) for rows in self.rows[: task.examples]]
            self.ready = [whole[i % len(whole)] for i in range(len(self.rows))]

    def take(self, steps: int) -> Any:
        """The batches of the next steps, each gathered when it is reached."""
        places = self.cursor.places(steps)
        if self.ready is not None:
            return (self.ready[place] for place in places)
        x, target, rows = self.x, self.target, self.rows
        return (
            (x.index_select(0, rows[place]), target.index_select(0, rows[place]))
            for place in places
        )


class Training(Runner):
    """A training loop."""

    def __init__(self, task: Workload, arrays: Mapping[str, Array], *, compiled: bool) -> None:
        model = Model(task)
        self.batches = Batches(task, arrays)
        trained = [p for p in model.parameters() if p.requires_grad]
        if task.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(trained, lr=task.lr, fused=True)
        else:
            self.optimizer = torch.optim.SGD(trained, lr=task.lr)  # faster than fused here
        self.model = torch.compile(model) if compiled else model

    def run(self, steps: int) -> None:
        model, optimizer = self.model, self.optimizer
        for x, target in self.batches.take(steps):
            loss = model(x, target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        self.last = loss

    def value(self) -> float:
        return float(self.last.item())


class PerExample(Runner):
    """The gradient of each example's cost: ``vmap(grad(loss))`` of torch.func."""

    def __init__(self, task: Workload, arrays: Mapping[str, Array], *, compiled: bool) -> None:
        model = Model(task)
        self.batches = Batches(task, arrays)
        self.parameters = {name: p.detach() for name, p in model.named_parameters()}

        def loss(parameters: Any, x: Any, target: Any) -> Any:
            return functional_call(model, parameters, (x[None], target[None]))

        of_each = vmap(grad(loss), in_dims=(None, 0, 0))
        self.step = torch.compile(of_each) if compiled else of_each

    def run(self, steps: int) -> None:
        for x, target in self.batches.take(steps):
            self.last = self.step(self.parameters, x, target)

    def value(self) -> float:
        return mean_square_norm([gradient.numpy() for gradient in self.last.values()])


class Operation(Runner):
    """A product by MKL, or a function of a million numbers."""

    def __init__(self, task: Task, arrays: Mapping[str, Array]) -> None:
        self.task, self.arrays = task, arrays
        if isinstance(task, Product):
            a, b = task.oriented(arrays["a"], arrays["b"])
            first, second = torch.from_numpy(a), torch.from_numpy(b)
            out = torch.empty(task.m, task.n)
            self.call: Callable[[], Any] = lambda: torch.matmul(first, second, out=out)
        elif isinstance(task, Function):
            self.call = _function(task.name, torch.from_numpy(arrays["x"]))
        else:
            raise Unsupported("It has no such operation")

    def run(self, steps: int) -> None:
        call = self.call
        with torch.inference_mode():
            for _ in range(steps):
                self.last = call()

    def value(self) -> float:
        assert isinstance(self.task, Product | Function)
        return self.task.error(np.asarray(self.last), self.arrays)


def _function(name: str, x: Any) -> Callable[[], Any]:
    out = torch.empty_like(x)
    if name in ("gelu", "softmax", "layer_norm"):
        functions = {
            "gelu": lambda: functional.gelu(x),
            "softmax": lambda: torch.softmax(x, 1, out=out),
            "layer_norm": lambda: functional.layer_norm(x, x.shape[1:]),
        }
        return functions[name]
    function = getattr(torch, name)
    return lambda: function(x, out=out)
