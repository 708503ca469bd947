"""Modules by position and by name: one after another, in lists and dicts."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, Self, overload

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.eager import here
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.naming import check_name


class ModuleSequence(Module):
    """Modules by position, as a list has them; their paths are ``0``, ``1``, ..."""

    @classmethod
    @abstractmethod
    def of(cls, modules: Sequence[Module], names: Sequence[str] | None) -> Self:
        """Make one of these modules; None names them by their positions."""

    def _hold(self, modules: Sequence[Any], names: Sequence[str] | None = None) -> None:
        """Hold these modules and no others."""
        positions = [str(i) for i in range(len(modules))]
        names = positions if names is None else list(names)
        kind = type(self).__name__
        for i, (name, module) in enumerate(zip(names, modules, strict=True)):
            check_module(kind, module, f"argument {i}" if names == positions else repr(name))
            check_name(kind, name, type(module).__name__)
            check_free(self, name)
            if name in names[:i]:
                raise ConfigurationError(f"Two modules in {kind} are called {name}")
        for name, _ in list(self.named_children()):
            delattr(self, name)
        for name, module in zip(names, modules, strict=True):
            setattr(self, name, module)
        # It describes itself as one that was made of what it holds now.
        given = tuple(modules)
        if names != positions:
            given = (OrderedDict(zip(names, modules, strict=True)),)
        self._arguments = {"modules": given} if modules else {}

    @property
    def _names(self) -> list[str]:
        return [name for name, _ in self.named_children()]

    @property
    def _own_names(self) -> list[str] | None:
        """The names, where they are others than the positions."""
        names = self._names
        return None if names == [str(i) for i in range(len(names))] else names

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def __len__(self) -> int:
        return len(list(self.named_children()))

    @overload
    def __getitem__(self, position: int) -> Module: ...
    @overload
    def __getitem__(self, position: slice) -> Self: ...

    def __getitem__(self, position: int | slice) -> Module:
        modules, names = list(self), self._own_names
        if isinstance(position, slice):
            return self.of(modules[position], None if names is None else names[position])
        return modules[position]

    def __setitem__(self, position: int, module: Module) -> None:
        modules = list(self)
        modules[position] = module
        self._hold(modules, self._names)

    def __delitem__(self, position: int | slice) -> None:
        modules = list(self)
        del modules[position]
        self._hold(modules)

    def append(self, module: Module) -> Self:
        """Put a module at the end; return the container."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put modules at the end; return the container."""
        more = list(modules)
        positions = range(len(self), len(self) + len(more))
        self._hold([*self, *more], [*self._names, *map(str, positions)])
        return self

    def insert(self, position: int, module: Module) -> Self:
        """Put a module in front of a position; those behind it move on, and so do their names."""
        modules = list(self)
        modules.insert(position, module)
        self._hold(modules)
        return self

    def pop(self, position: int = -1) -> Module:
        """Take a module out and return it."""
        modules = list(self)
        taken = modules.pop(position)
        self._hold(modules)
        return taken


@LAYERS.register("Sequential")
class Sequential(ModuleSequence):
    """Modules one after the other; their paths are ``0``, ``1``, ..., or names of your own.

    Parameters
    ----------
    *modules : Module, or one OrderedDict of str to Module
        The first may take several inputs. A name is made of letters, digits, _ and -, and is none
        of a module's own attributes.

    Raises
    ------
    ConfigurationError
        If something is no module, or a name cannot be one.

    Notes
    -----
    As in torch, names stay with `append`, `extend`, slices and where a module is replaced; what is
    deleted, popped or inserted leaves modules that are named by their positions.

    Examples
    --------
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Tanh())
    >>> list(net.state_dict()), net([[[1.0, 2.0], [3.0, 4.0]]]).shape
    (['1.weight', '1.bias'], (1, 2))
    >>> from collections import OrderedDict
    >>> named = nn.Sequential(OrderedDict(hidden=nn.Linear(4, 2), slope=nn.Tanh()))
    >>> list(named.state_dict())
    ['hidden.weight', 'hidden.bias']
    """

    def __init__(self, *modules: Module | OrderedDict[str, Module]) -> None:
        match modules:
            case (OrderedDict() as named,):
                self._hold(list(named.values()), list(named))
            case (dict(),):
                raise ConfigurationError(
                    "Sequential takes modules, or one OrderedDict of them; argument 0 is a dict",
                    advice="Write Sequential(OrderedDict(...)), with collections.OrderedDict",
                )
            case _:
                self._hold(modules)

    @classmethod
    def of(cls, modules: Sequence[Module], names: Sequence[str] | None) -> Self:
        if names is None:
            return cls(*modules)
        return cls(OrderedDict(zip(names, modules, strict=True)))

    def forward(self, x: Any, *others: Any) -> Any:
        """Apply the modules in order."""
        inputs = (x, *others)
        for module in self:
            inputs = (module(*inputs),)
        return inputs[0] if len(inputs) == 1 else inputs


@LAYERS.register("ModuleList")
class ModuleList(ModuleSequence):
    """Modules in a list, for a network that calls them in `forward` in its own way.

    Parameters
    ----------
    modules : iterable of Module, optional

    Notes
    -----
    torch needs it so that a list's parameters are found. Here a plain Python list in an attribute
    is found as well, under the same names; this one is there for code that comes from torch.

    Examples
    --------
    >>> from chainrule import nn
    >>> net = nn.Module()
    >>> net.layers = nn.ModuleList([nn.Linear(3, 2), nn.Tanh()])
    >>> list(net.state_dict()), len(net.layers)
    (['layers.0.weight', 'layers.0.bias'], 2)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        self._hold(list(modules or ()))

    @classmethod
    def of(cls, modules: Sequence[Module], names: Sequence[str] | None) -> Self:
        return cls(modules)

    def forward(self, *inputs: Any) -> Any:
        """Raise ConfigurationError: a list says nothing of what is computed."""
        _refuse_call("ModuleList", "for layer in self.layers: x = layer(x)")


@LAYERS.register("ModuleDict")
class ModuleDict(Module):
    """Modules by name, for a network that calls them in `forward` in its own way.

    Parameters
    ----------
    modules : mapping of str to Module, or iterable of pairs, optional
        A name is made of letters, digits, _ and -, and is none of a module's own attributes.

    Examples
    --------
    >>> from chainrule import nn
    >>> net = nn.Module()
    >>> net.heads = nn.ModuleDict({"mean": nn.Linear(3, 1), "scale": nn.Linear(3, 1)})
    >>> list(net.state_dict())
    ['heads.mean.weight', 'heads.mean.bias', 'heads.scale.weight', 'heads.scale.bias']
    """

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        self.update(modules or {})

    def forward(self, *inputs: Any) -> Any:
        """Raise ConfigurationError: a dict says nothing of what is computed."""
        _refuse_call("ModuleDict", 'x = self.layers["encoder"](x)')

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Hold these modules, too; one of the same name is replaced."""
        given = dict(modules)
        for name, module in given.items():
            check_module("ModuleDict", module, repr(name))
            check_name("ModuleDict", name, type(module).__name__)
            check_free(self, name)
        for name, module in given.items():
            setattr(self, name, module)
        self._describe()

    def keys(self) -> Iterator[str]:
        """The names, in the order in which they were given."""
        return (name for name, _ in self.named_children())

    def values(self) -> Iterator[Module]:
        """The modules."""
        return (module for _, module in self.named_children())

    def items(self) -> Iterator[tuple[str, Module]]:
        """Pairs of name and module."""
        return self.named_children()

    def pop(self, name: str) -> Module:
        """Take a module out and return it."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for name in list(self):
            del self[name]

    def __getitem__(self, name: str) -> Module:
        modules = dict(self.items())
        if name not in modules:
            raise NameNotFoundError.among("module of this ModuleDict", name, modules)
        return modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.update({name: module})

    def __delitem__(self, name: str) -> None:
        _ = self[name]
        delattr(self, name)
        self._describe()

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return len(list(self.keys()))

    def __contains__(self, name: object) -> bool:
        return name in list(self.keys())

    def _describe(self) -> None:
        # As pairs, which a file can hold in their order.
        pairs = list(self.items())
        self._arguments = {"modules": pairs} if pairs else {}


def check_free(container: Module, name: str) -> None:
    """Raise ConfigurationError if a container has something of its own by this name."""
    if hasattr(type(container), name):
        raise ConfigurationError(
            f"A {type(container).__name__} has a {name} of its own; no module in it can be called "
            "that"
        )


def check_module(container: str, thing: object, place: str) -> None:
    """Raise ConfigurationError unless what is put at a place in a container is a module."""
    if isinstance(thing, Module):
        return
    shown = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    raise ConfigurationError(
        f"{container} takes modules; {place} is {shown}",
        advice=f"Write {shown}(...)" if isinstance(thing, type) else None,
    )


def _refuse_call(container: str, example: str) -> NoReturn:
    raise ConfigurationError(
        f"A {container} holds modules and does not say how they are called",
        where=here(),
        advice=f"Call them in a module's forward, for example {example}; or use nn.Sequential",
    )
