"""trace_torch: the values of a torch module's training step, under the names that ours have.

torch is not imported here: whoever has a torch module has torch. Everything is done by what the
module, its tensors and its optimiser offer themselves.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.files import Pathlike
from chainrule.explanation.trace import About, Array

NEXT = "next."


@dataclass(frozen=True, eq=False)
class TorchTrace:
    """One training step of a torch module: its named values, in the order of computing.

    Parameters
    ----------
    values : mapping of str to array
        ``x``, ``target``, ``0.weight``, ``0.out``, ``loss``, ``d_0.out``, ``d_0.weight``,
        ``next.0.weight``: the names that a `Trace` of the same network has.
    about : About
    is_training : bool
        Whether the module was in training mode.
    state : tuple of str
        The names of its parameters and buffers.
    """

    values: Mapping[str, Array] = field(repr=False)
    about: About
    is_training: bool = True
    state: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Array:
        """Return a value.

        Raises
        ------
        NameNotFoundError
            If nothing has this name.
        """
        if name not in self.values:
            raise NameNotFoundError.among("value", name, self.values, where="the torch trace")
        return self.values[name]

    def save(self, path: Pathlike) -> None:
        """Write it to a file, so that `load` gives back the same.

        Parameters
        ----------
        path : path
            A ``.safetensors`` file; one that exists is replaced durably.

        Raises
        ------
        ConfigurationError
            If it is no ``.safetensors`` file.
        FileFormatError
            If a value has a dtype that the format does not have, such as complex numbers.
        OSError
            As the system says.
        """
        from chainrule.explanation.comparing.torch_file import save_torch_trace

        save_torch_trace(self, path)

    @staticmethod
    def load(path: Pathlike) -> TorchTrace:
        """Read a trace that `save` wrote; torch is not needed for it.

        Raises
        ------
        FileFormatError
            If it is none, cut short, or of another version of the format.
        OSError
            As the system says.
        """
        from chainrule.explanation.comparing.torch_file import load_torch_trace

        return load_torch_trace(path)


def trace_torch(module: Any, x: Any, y: Any, loss: Any, optimizer: Any = None) -> TorchTrace:
    """Record one training step of a torch module, to compare with ours by `diff`.

    Parameters
    ----------
    module : torch.nn.Module
        In training or evaluation mode, as it is.
    x : array, tensor, or tuple of such
        What it is called with. Floats are converted to the dtype of its parameters.
    y : array or tensor
        What the loss is told beside the output.
    loss : callable
        ``loss(output, y)`` to a scalar: ``torch.nn.MSELoss()``, a function of torch's.
    optimizer : torch.optim.Optimizer, optional
        Of the module's parameters; the step that it would make is recorded.

    Returns
    -------
    TorchTrace

    Raises
    ------
    ConfigurationError
        If what is given is not torch's, the loss is no scalar, or the module is of bfloat16.

    Notes
    -----
    Parameters, gradients, buffers, the optimiser's state, hooks and torch's random numbers are
    afterwards what they were.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        raise ConfigurationError(
            f"trace_torch records a torch module; got {type(module).__name__}",
            advice="For a network of ours write cr.explain(net, x, y, loss=...)",
        )
    if not callable(loss):
        raise ConfigurationError(
            f"trace_torch takes a loss that can be called with (output, y); got {loss!r}",
            advice="Pass torch.nn.MSELoss(), for example",
        )
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigurationError(
            f"trace_torch takes an optimizer of torch.optim; got {type(optimizer).__name__}",
            advice="Pass torch.optim.SGD(module.parameters(), lr=0.1), for example",
        )
    if optimizer is not None and _needs_closure(optimizer):
        raise ConfigurationError(
            f"trace_torch records one step; {type(optimizer).__name__} evaluates the loss anew",
            advice="Leave the optimizer out: the gradients are recorded without it",
        )
    record = _Record(torch)
    several = x if isinstance(x, tuple) else (x,)
    inputs = [_as_tensor(torch, each, module) for each in several]
    target = None if y is None else _as_tensor(torch, y, module)
    with _left_as_it_was(torch, module, loss, optimizer), torch.enable_grad():
        state = dict([*module.named_parameters(), *module.named_buffers()])
        for path, tensor in state.items():
            record.keep(path, tensor)
        for i, each in enumerate(inputs):
            record.keep(f"x{i}" if len(inputs) > 1 else "x", each)
        if target is not None:
            record.keep("target", target)
        if optimizer is not None:
            record.keep_optimizer(module, optimizer, "")
        with record.hooked(module):
            output = module(*inputs)
            cost = loss(output) if target is None else loss(output, target)
        if not isinstance(cost, torch.Tensor) or cost.numel() != 1:
            got = tuple(cost.shape) if isinstance(cost, torch.Tensor) else type(cost).__name__
            raise ConfigurationError(
                f"The loss gave {got}; a training step needs one number",
                advice='Let it reduce: reduction="mean"',
            )
        record.keep("loss", cost.reshape(()))
        cost.backward()
        record.keep_gradients(module)
        if optimizer is not None:
            optimizer.step()
            for path, tensor in module.named_parameters():
                record.keep(NEXT + path, tensor)
            record.keep_optimizer(module, optimizer, NEXT)
        for path, tensor in module.named_buffers():
            record.keep(NEXT + path, tensor)
    about = _about(torch, module, loss, optimizer)
    return TorchTrace(record.values, about, bool(module.training), tuple(state))


class _Record:
    """What is kept of a step, under our names."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.values: dict[str, Array] = {}
        self.gradients: dict[str, Any] = {}
        self._calls: Counter[str] = Counter()
        self._named: dict[tuple[int, int], Any] = {}

    def keep(self, name: str, tensor: Any) -> None:
        """Keep a copy: what is changed in place later must not change it."""
        self.values[name] = _as_array(tensor)

    @contextmanager
    def hooked(self, module: Any) -> Iterator[None]:
        """Record what every sub-module returns, and the gradients that come back to it."""
        with ExitStack() as stack:
            for path, part in module.named_modules():
                handle = part.register_forward_hook(self._hook(path))
                stack.callback(handle.remove)
            yield

    def keep_gradients(self, module: Any) -> None:
        """Keep the gradients, in the order in which they were computed."""
        for name, gradient in self.gradients.items():
            self.values[name] = _as_array(gradient)
        for path, parameter in module.named_parameters():
            if parameter.grad is not None:
                self.keep(f"d_{path}", parameter.grad)

    def keep_optimizer(self, module: Any, optimizer: Any, prefix: str) -> None:
        """Keep the learning rate, and what the optimiser remembers of each parameter."""
        if not prefix:
            self.values["lr"] = np.asarray(float(optimizer.param_groups[0]["lr"]), np.float64)
        for path, parameter in module.named_parameters():
            for slot, value in optimizer.state.get(parameter, {}).items():
                # Each parameter counts its steps; ours has one count for all.
                if isinstance(value, self.torch.Tensor) and slot != "step":
                    self.keep(f"{prefix}{path}:{slot}", value)

    def _hook(self, path: str) -> Callable[[Any, Any, Any], None]:
        def after(module: Any, inputs: Any, output: Any) -> None:
            self._calls[path] += 1
            number = self._calls[path]
            for leaf, tensor in self._tensors(output):
                # In place, a tensor becomes another value: the version tells.
                key = (id(tensor), tensor._version)
                if key in self._named:
                    continue  # handed on as it is: it has the name of whoever made it
                self._named[key] = tensor  # kept alive: an id is unique only among the living
                name = ".".join(filter(None, (path, "out", leaf)))
                name = f"{name}#{number}" if number > 1 else name
                self.keep(name, tensor)
                if tensor.requires_grad:
                    # A hook belongs to the value before it is changed in place.
                    tensor.register_hook(self._backward(f"d_{name}"))

        return after

    def _backward(self, name: str) -> Callable[[Any], None]:
        def back(gradient: Any) -> None:
            self.gradients[name] = gradient.detach().clone()

        return back

    def _tensors(self, output: Any, path: str = "") -> Iterator[tuple[str, Any]]:
        """The tensors of a result: itself, or what its tuples, lists and dicts hold."""
        if isinstance(output, self.torch.Tensor):
            yield path, output
        elif isinstance(output, Mapping | Sequence) and not isinstance(output, str):
            items = output.items() if isinstance(output, Mapping) else enumerate(output)
            for key, part in items:
                yield from self._tensors(part, f"{path}.{key}" if path else str(key))


def _as_array(tensor: Any) -> Array:
    copy = tensor.detach().cpu()
    copy = copy.to_dense() if copy.is_sparse else copy  # an embedding's gradient may be sparse
    if str(copy.dtype) == "torch.bfloat16":
        raise ConfigurationError(
            "trace_torch got bfloat16, which NumPy does not have",
            advice="Record module.float(), or module.half()",
        )
    found: Array = np.array(copy.resolve_conj().resolve_neg().numpy(), copy=True)
    return found


def _as_tensor(torch: Any, given: Any, module: Any) -> Any:
    """A copy of what was given, where the module is, floats in its dtype."""
    first = next((p for p in module.parameters() if p.is_floating_point()), None)
    tensor = given if isinstance(given, torch.Tensor) else torch.as_tensor(np.array(given))
    tensor = tensor.detach().clone()
    if first is None:
        return tensor
    tensor = tensor.to(first.device)
    return tensor.to(first.dtype) if tensor.is_floating_point() else tensor


@contextmanager
def _left_as_it_was(torch: Any, module: Any, loss: Any, optimizer: Any) -> Iterator[None]:
    """Put back parameters, gradients, buffers, optimiser state and random numbers."""
    parts = [part for part in (module, loss) if isinstance(part, torch.nn.Module)]
    tensors = {id(p): p for part in parts for p in part.parameters()}
    groups = [] if optimizer is None else optimizer.param_groups
    tensors |= {id(p): p for group in groups for p in group["params"]}
    numbers = [(p, p.detach().clone(), p.grad) for p in tensors.values()]
    buffers = [
        (part, name, buffer, None if buffer is None else buffer.detach().clone())
        for root in parts
        for part in root.modules()
        for name, buffer in part._buffers.items()
    ]
    remembered = None if optimizer is None else _copy_of_state(torch, optimizer)
    options = [{k: v for k, v in group.items() if k != "params"} for group in groups]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        try:
            for parameter, _, _ in numbers:
                parameter.grad = None
            yield
        finally:
            for parameter, before, gradient in numbers:
                parameter.data.copy_(before)
                parameter.grad = gradient
            for part, name, buffer, before in buffers:
                part._buffers[name] = buffer
                if buffer is not None:
                    buffer.data.copy_(before)
            if remembered is not None:
                _restore_state(torch, optimizer, remembered)
            for group, kept in zip(groups, options, strict=True):
                group.update(kept)


def _copy_of_state(torch: Any, optimizer: Any) -> dict[Any, dict[str, Any]]:
    """For each parameter what is remembered: the tensor itself, and a copy of its numbers."""
    return {
        parameter: {
            name: (value, value.detach().clone() if isinstance(value, torch.Tensor) else None)
            for name, value in state.items()
        }
        for parameter, state in optimizer.state.items()
    }


def _restore_state(torch: Any, optimizer: Any, kept: Mapping[Any, Mapping[str, Any]]) -> None:
    for parameter in list(optimizer.state):
        if parameter not in kept:
            del optimizer.state[parameter]
            continue
        state = optimizer.state[parameter]
        state.clear()
        for name, (value, numbers) in kept[parameter].items():
            if isinstance(value, torch.Tensor):
                value.data.copy_(numbers)
            state[name] = value


def _needs_closure(optimizer: Any) -> bool:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def _about(torch: Any, module: Any, loss: Any, optimizer: Any) -> About:
    group = {} if optimizer is None else optimizer.param_groups[0]
    return About(
        computed_by=f"torch {torch.__version__}",
        learning_rate=float(group["lr"]) if "lr" in group else None,
        network=repr(module),
        loss=getattr(loss, "__name__", None) or repr(loss),
        optimizer="" if optimizer is None else repr(optimizer),
        versions={"torch": str(torch.__version__), "numpy": np.__version__},
    )
