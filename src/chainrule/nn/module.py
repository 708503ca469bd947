"""Module: a function with parameters, made of smaller ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from chainrule.base.errors import NameNotFoundError, ShapeError, TracingError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, as_tensor, current_trace, in_scope
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves
from chainrule.graph import format_shape
from chainrule.nn.parameter import Buffer, Parameter, Variable

if TYPE_CHECKING:
    from chainrule.nn.losses import Loss

LAYERS: Registry[type[Module]] = Registry("layer")

V = TypeVar("V", bound=Variable)

_PATHS: ContextVar[Mapping[int, str] | None] = ContextVar("paths of modules", default=None)


class Module:
    """A function with parameters.

    Subclass it, assign sub-modules, `Parameter` and `Buffer` objects as attributes in
    ``__init__``, and write ``forward``, which may take and return several Tensors. What is
    assigned twice is shared: it is one parameter, under the first path it is found at.

    Examples
    --------
    >>> from chainrule import nn
    >>> class Residual(nn.Module):
    ...     def __init__(self, width):
    ...         self.linear = nn.Linear(width, width)
    ...
    ...     def forward(self, x):
    ...         return x + self.linear(x).tanh()
    >>> sorted(Residual(3).state_dict())
    ['linear.bias', 'linear.weight']
    """

    _arguments: inspect.BoundArguments
    trained_with: tuple[Loss, tuple[str, ...]] | None = None
    """The loss and metrics of the last `fit`: what `evaluate` uses by default."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Module:
        module = super().__new__(cls)
        # What it was made with is what `save` writes and `repr` shows.
        signature = inspect.signature(cls.__init__)
        try:
            module._arguments = signature.bind(module, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None
        return module

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs; a subclass writes it."""
        raise TracingError(f"{type(self).__name__} has no forward method")

    def __call__(self, *inputs: Any) -> Any:
        """Call `forward` on Tensors; arrays become Tensors."""
        paths = _PATHS.get()
        if paths is not None and id(self) in paths:
            return self._call(inputs, paths[id(self)])
        token = _PATHS.set({id(module): path for path, module in self.named_modules()})
        try:
            self.initialize()
            return self._call(inputs, "")
        finally:
            _PATHS.reset(token)

    def _call(self, inputs: tuple[Any, ...], path: str) -> Any:
        tensors = [as_tensor(x) if isinstance(x, np.ndarray | list) else x for x in inputs]
        with in_scope(path):
            result = self.forward(*tensors)
        trace = current_trace()
        if trace is not None:
            outputs = [leaf for _, leaf in leaves(result, open_modules=False)]
            for i, output in enumerate(outputs):
                if isinstance(output, Tensor) and output.trace is trace:
                    label = f"{path}.out" if path else "out"
                    trace.builder.name(output.traced_value, f"{label}.{i}" if i else label)
        return result

    # --- what it is made of ------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Sub-modules by attribute name."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Itself and all modules inside, by path; each once, under its first path."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            children = list(module.named_children())
            stack += [(f"{path}.{n}" if path else n, child) for n, child in reversed(children)]

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Parameters by path; a shared one once."""
        return self._variables(Parameter)

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Buffers by path."""
        return self._variables(Buffer)

    def _variables(self, kind: type[V]) -> Iterator[tuple[str, V]]:
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, kind) and id(value) not in seen:
                    seen.add(id(value))
                    value.name = f"{path}.{name}" if path else name
                    yield value.name, value

    def parameters(self) -> Iterator[Parameter]:
        """Parameters, a shared one once."""
        return (parameter for _, parameter in self.named_parameters())

    def trainable_parameters(self) -> dict[str, Tensor]:
        """Parameters that are not frozen, by path."""
        self.initialize()
        return {n: p for n, p in self.named_parameters() if p.requires_grad}

    # --- numbers -----------------------------------------------------------------------------

    def initialize(self, seed: int = 0) -> Module:
        """Draw the parameters that have no numbers yet, each from (seed, path)."""
        for path, parameter in self.named_parameters():
            if not parameter.is_drawn:
                parameter.draw(seed, path)
        for _ in self.named_buffers():
            pass  # gives them their names
        return self

    def astype(self, dtype: object) -> Module:
        """Convert the float parameters and buffers to another float dtype."""
        for _, variable in [*self.named_parameters(), *self.named_buffers()]:
            if variable.type.dtype.is_float:
                variable.convert(dtype)
        return self

    def state_dict(self) -> dict[str, Array]:
        """Parameters and buffers by path, in torch's names and shapes; shared ones under each."""
        self.initialize()
        found = {}
        for path, module in self._all_paths():
            for name, value in vars(module).items():
                if isinstance(value, Variable):
                    found[f"{path}.{name}" if path else name] = value.numpy().copy()
        return found

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take parameters and buffers from arrays by path; nothing changes if one does not fit.

        Parameters
        ----------
        state : mapping of str to array_like
            NumPy arrays, or torch tensors.
        strict : bool
            Whether a name that is missing or left over is an error.

        Raises
        ------
        NameNotFoundError, ShapeError
        """
        own = self._variables_by_every_path()
        if strict:
            self._check_names(state, own)
        arrays = {}
        for path in own.keys() & state.keys():
            arrays[path] = np.asarray(state[path])
            if arrays[path].shape != own[path].shape:
                raise ShapeError(
                    f"{path} has shape {format_shape(own[path].shape)}; the state gives "
                    f"{format_shape(arrays[path].shape)}"
                )
        self.initialize()
        for path, array in arrays.items():
            own[path].replace(array)

    def _check_names(self, state: Mapping[str, Any], own: Mapping[str, Variable]) -> None:
        for path in state:
            if path not in own:
                raise NameNotFoundError.among("parameter", path, own)
        missing = [path for path in own if path not in state]
        if missing:
            raise NameNotFoundError(
                f"The state has no {missing[0]}"
                + (f", nor {len(missing) - 1} others" if len(missing) > 1 else ""),
                advice="Pass strict=False to keep what the network has",
            )

    def _variables_by_every_path(self) -> dict[str, Variable]:
        found = {}
        for path, module in self._all_paths():
            for name, value in vars(module).items():
                if isinstance(value, Variable):
                    found[f"{path}.{name}" if path else name] = value
        return found

    def _all_paths(self) -> Iterator[tuple[str, Module]]:
        """Every module under every path that leads to it."""
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            yield path, module
            children = list(module.named_children())
            stack += [(f"{path}.{n}" if path else n, child) for n, child in reversed(children)]

    # --- use ---------------------------------------------------------------------------------

    def predict(self, x: Any, batch_size: int = 256) -> Array:
        """The outputs for examples `x`, computed in batches; see `nn.predict`."""
        from chainrule.nn.evaluation import predict

        return predict(self, x, batch_size)

    def evaluate(
        self,
        x: Any,
        y: Any,
        *,
        loss: Loss | None = None,
        metrics: tuple[str, ...] | list[str] | None = None,
        batch_size: int = 256,
    ) -> dict[str, float]:
        """Loss and metrics on examples; by default those it was trained with."""
        from chainrule.nn.evaluation import evaluate

        return evaluate(self, x, y, loss=loss, metrics=metrics, batch_size=batch_size)

    def configuration(self) -> dict[str, Any]:
        """The arguments it was made with, by name."""
        arguments = dict(self._arguments.arguments)
        first = next(iter(arguments))  # self
        del arguments[first]
        return arguments

    def __repr__(self) -> str:
        children = list(self.named_children())
        if not children:
            shown = ", ".join(
                f"{key}={value!r}"
                for key, value in self.configuration().items()
                if not isinstance(value, Module | Parameter)
            )
            return f"{type(self).__name__}({shown})"
        lines = [f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in children]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])
