"""Module: a function with parameters, made of smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, Self

from chainrule.base.errors import ConfigurationError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor
from chainrule.eager.promotion import dtype_of
from chainrule.eager.tensor import Array
from chainrule.nn.calling import call
from chainrule.nn.configured import Configured
from chainrule.nn.naming import check_name, join
from chainrule.nn.parameter import Buffer, Parameter, Variable
from chainrule.nn.state import match_state

if TYPE_CHECKING:
    from chainrule.drawing import Diagram
    from chainrule.nn.losses import Loss
    from chainrule.nn.metrics import Definition
    from chainrule.nn.pretrained import Report

LAYERS: Registry[type[Module]] = Registry("layer")


class Module(Configured):
    """A function with parameters.

    Subclass it, assign sub-modules, `Parameter` and `Buffer` objects as attributes in
    ``__init__``, and write ``forward``, which may take and return several Tensors. They may stand
    in lists, tuples and dicts, too. What is assigned twice is shared: it is one module or
    parameter, under the first path it is found at.

    Notes
    -----
    A network computes in its own dtype: floats that it is called with are converted to it.
    Parameters are drawn at first use, from the seed 0, or before by `initialize`.

    Examples
    --------
    >>> from chainrule import nn
    >>> class Residual(nn.Module):
    ...     def __init__(self, width):
    ...         self.layers = [nn.Linear(width, width), nn.Tanh()]
    ...
    ...     def forward(self, x):
    ...         y = x
    ...         for layer in self.layers:
    ...             y = layer(y)
    ...         return x + y
    >>> list(Residual(3).state_dict())
    ['layers.0.weight', 'layers.0.bias']
    """

    reads_integers: ClassVar[bool] = False
    """Whether it reads integers as positions, as `Embedding` does: a network with such a module in
    it is given integer inputs as they are, any other in its own dtype."""

    trained_with: tuple[Loss, tuple[str, ...]] | None = None
    """The loss and metrics of the last `fit`: what `evaluate` uses by default."""

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs; a subclass writes it."""
        raise ConfigurationError(
            f"{type(self).__name__} has no forward method", advice="Write def forward(self, x): ..."
        )

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Call `forward` on Tensors; arrays and lists of numbers become Tensors."""
        return call(self, inputs, options)

    def __setattr__(self, name: str, value: Any) -> None:
        old = vars(self).get(name)
        if isinstance(old, Variable) and not (value is None or isinstance(value, Variable)):
            kind = type(old).__name__.lower()
            keep = "replace(numbers)" if isinstance(old, Parameter) else "assign(value)"
            raise ConfigurationError(
                f"{type(self).__name__}.{name} is a {kind}; got {type(value).__name__}",
                advice=f"To change its numbers call {name}.{keep}; to be rid of it assign None",
            )
        if name != "_arguments":  # what it was made with is no part of it
            for _, part in _parts_of(value, name):  # a key that is no name is refused on the way
                check_name(type(self).__name__, name, type(part).__name__)
        super().__setattr__(name, value)

    # --- what it is made of ------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Sub-modules by attribute name; those in lists and dicts as ``layers.0``."""
        return ((name, part) for name, part in self._parts() if isinstance(part, Module))

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Itself and all modules inside, by path; each once, under its first path."""
        return self._modules(every_path=False)

    def named_variables(self) -> Iterator[tuple[str, Variable]]:
        """Parameters and buffers by path; a shared one once."""
        found: set[Variable] = set()
        for path, module in self.named_modules():
            for name, variable in module._own_variables():
                if variable not in found:
                    found.add(variable)
                    yield join(path, name), variable

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Parameters by path; a shared one once."""
        return ((path, v) for path, v in self.named_variables() if isinstance(v, Parameter))

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Buffers by path; a shared one once."""
        return ((path, v) for path, v in self.named_variables() if isinstance(v, Buffer))

    def parameters(self) -> Iterator[Parameter]:
        """Parameters, a shared one once."""
        return (parameter for _, parameter in self.named_parameters())

    def trainable_parameters(self) -> dict[str, Tensor]:
        """Parameters that are not frozen, by path."""
        self.initialize()
        return {path: p for path, p in self.named_parameters() if p.requires_grad}

    def modules_by_every_path(self) -> Iterator[tuple[str, Module]]:
        """Itself and all modules inside; a shared one under each path that leads to it."""
        return self._modules(every_path=True)

    def variables_by_every_path(self) -> Iterator[tuple[str, Variable]]:
        """Parameters and buffers; a shared one under each path that leads to it."""
        for path, module in self.modules_by_every_path():
            yield from ((join(path, name), v) for name, v in module._own_variables())

    def _parts(self) -> Iterator[tuple[str, Module | Variable]]:
        for name, value in vars(self).items():
            yield from _parts_of(value, name)

    def _own_variables(self) -> Iterator[tuple[str, Variable]]:
        return ((name, part) for name, part in self._parts() if isinstance(part, Variable))

    def _modules(self, *, every_path: bool) -> Iterator[tuple[str, Module]]:
        """Itself and the modules inside, under their first paths or under every path.

        A module that stands inside itself (a child that knows its parent) is not opened again.
        """
        found: set[int] = set()
        stack: list[tuple[str, Module, frozenset[int]]] = [("", self, frozenset())]
        while stack:
            path, module, above = stack.pop()
            if id(module) in (above if every_path else found):
                continue
            found.add(id(module))
            yield path, module
            inside = above | {id(module)} if every_path else above
            children = [
                (join(path, name), child, inside) for name, child in module.named_children()
            ]
            stack += reversed(children)

    # --- numbers -----------------------------------------------------------------------------

    def initialize(self, seed: int = 0, *, reset: bool = False) -> Self:
        """Draw what has no numbers yet, each parameter from (seed, path); return the module.

        Parameters
        ----------
        seed : int
        reset : bool
            Draw again what was drawn or loaded before, running statistics too. What was made of
            numbers, and not of an initializer, keeps those it has.
        """
        for path, variable in self.named_variables():
            if reset and variable.initializer is not None:
                variable.draw(seed, path)
            variable.settle(seed, path)
        return self

    def astype(self, dtype: object) -> Self:
        """Convert the float parameters and buffers to float32 or float64; return the module."""
        target = dtype_of(dtype)
        if not target.is_float:
            raise ConfigurationError(f"A network computes in float32 or float64; got {dtype!r}")
        for _, variable in self.named_variables():
            if variable.type.dtype.is_float:
                variable.convert(target)
        return self

    def state_dict(self) -> dict[str, Array]:
        """Parameters and buffers by path, in torch's names and shapes; shared ones under each."""
        self.initialize()
        return {path: v.numpy().copy() for path, v in self.variables_by_every_path()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take parameters and buffers from arrays by path; nothing changes if one does not fit.

        Parameters
        ----------
        state : mapping of str to array_like
            NumPy arrays, or torch tensors. They are converted to the network's dtypes. A shared
            variable may stand under one of its paths, or under several with the same numbers.
        strict : bool
            Whether a name that is missing or left over is an error.

        Raises
        ------
        NameNotFoundError, ShapeError, DTypeError, DataError
        """
        new = match_state(self.variables_by_every_path(), state, strict=strict)
        for variable, array in new.items():
            variable.replace(array)

    def load_pretrained(
        self, source: Any, rename: Mapping[str, str] | Callable[[str], str | None] | None = None
    ) -> Report:
        """Take the numbers of a file or mapping that fit, and report; see `nn.load_pretrained`."""
        from chainrule.nn.pretrained import load_pretrained

        return load_pretrained(self, source, rename)

    # --- use ---------------------------------------------------------------------------------

    def predict(self, x: Any, batch_size: int = 256) -> Any:
        """The outputs for examples `x`, computed in batches; see `nn.predict`."""
        from chainrule.nn.evaluation import predict

        return predict(self, x, batch_size)

    def evaluate(
        self,
        x: Any,
        y: Any,
        *,
        loss: Any = None,
        metrics: Sequence[str | Definition] | str | Definition | None = None,
        weights: Any = None,
        batch_size: int | None = None,
    ) -> dict[str, float]:
        """Loss and metrics on examples; by default those it was trained with."""
        from chainrule.nn.evaluation import evaluate

        return evaluate(
            self, x, y, loss=loss, metrics=metrics, weights=weights, batch_size=batch_size
        )

    def diagram(
        self,
        x: Any = None,
        *,
        direction: str | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Diagram:
        """Draw the network: neurons and weights of a plain chain, modules of anything else.

        Parameters
        ----------
        x : array_like, or tuple of several inputs, optional
            An example of the input, for networks whose layers do not tell what they read. With it
            modules are drawn, of a chain too.
        direction : str, optional
            ``right`` or ``down``. By default neurons go right and modules down.
        values : mapping of str to str
            What is written at neurons, weights or modules: ``{"1.out[0]": "0.59"}``.

        Returns
        -------
        Diagram
            Notebooks show it; ``save("net.svg")`` writes it, ``table()`` has it as rows.

        Raises
        ------
        ConfigurationError
            If the input cannot be guessed, or there is no such direction.
        NameNotFoundError
            If there is no value of such a name.

        Notes
        -----
        A chain is a `Sequential` of `Linear` layers and activations. A line is a weight: its width
        is the size; solid blue is positive, dashed orange negative; those that are not drawn yet
        are grey. Of large layers some neurons are shown. Other networks are traced, so that
        residual connections and shared modules appear as they are used; of many modules in one
        place the first and the last are shown, and all in the table. No numbers are drawn or
        changed by that.

        Examples
        --------
        >>> from chainrule import nn
        >>> net = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Sigmoid())
        >>> net[0].weight.replace([[0.5, -2.0]])
        >>> for row in net.diagram().table():
        ...     print(row)
        {'name': '0.weight[0, 0]', 'from': 'x[0]', 'to': '0.out[0]', 'value': '0.5'}
        {'name': '0.weight[0, 1]', 'from': 'x[1]', 'to': '0.out[0]', 'value': '-2'}
        """
        from chainrule.nn.diagram import draw_network

        return draw_network(self, x, direction=direction, values=values)

    def extra_repr(self) -> str:
        """What `repr` says of a module with parts, beside them; a subclass may write it."""
        return ""

    @recursive_repr()
    def __repr__(self) -> str:
        children = list(self.named_children())
        if not children:
            return super().__repr__()
        said = [f"  {self.extra_repr()}"] if self.extra_repr() else []
        parts = [f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in children]
        lines = said + parts
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def _parts_of(tree: Any, path: str) -> Iterator[tuple[str, Module | Variable]]:
    """The modules and variables in an attribute: itself, or what its lists and dicts hold."""
    if isinstance(tree, Module | Variable):
        yield path, tree
    elif isinstance(tree, list | tuple | dict):
        branches = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, branch in branches:
            # Most containers hold data, some of them much: paths are made for parts alone.
            if not isinstance(branch, Module | Variable | list | tuple | dict):
                continue
            for inner, part in _parts_of(branch, ""):
                if isinstance(tree, dict):
                    check_name(path or "a dict", str(key), type(part).__name__)
                yield join(join(path, str(key)), inner), part
