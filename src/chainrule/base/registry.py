"""Named things, each registered once: ops, layers, losses, optimisers, data sets, backends.

A registry is the one list of its kind.  The command line's choices, the names that files may use,
the documentation and the tests all read it, so adding a thing in one place adds it everywhere.
"""

from collections.abc import Callable, ItemsView, Iterator, ValuesView
from typing import Any, Generic, TypeVar, overload

from chainrule.base.errors import DuplicateNameError, NameNotFoundError

T = TypeVar("T")
Registered = TypeVar("Registered")


class Registry(Generic[T]):
    """Things by name, in the order in which they were registered.

    Parameters
    ----------
    kind
        What is registered here, in the singular. Error messages use it.

    Examples
    --------
    >>> losses: Registry[str] = Registry("loss")
    >>> losses.register("mse", "mean squared error")
    'mean squared error'
    >>> losses.get("mse"), list(losses)
    ('mean squared error', ['mse'])
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    @overload
    def register(self, name: str, thing: T) -> T: ...

    # The decorated function or class keeps its own, more precise type, which is why the decorator
    # is not `Callable[[T], T]`: users' editors show signatures, not `Callable[..., Array]`.
    @overload
    def register(self, name: str) -> Callable[[Registered], Registered]: ...

    def register(self, name: str, thing: T | None = None) -> Any:
        """Register `thing` under `name`, or decorate the thing that follows: ``@r.register(name)``.

        Raises
        ------
        DuplicateNameError
            If the name is taken.
        """
        if thing is None:
            return lambda decorated: self._add(name, decorated)
        return self._add(name, thing)

    def _add(self, name: str, thing: T) -> T:
        if name in self._things:
            raise DuplicateNameError(
                f'The {self.kind} "{name}" is registered already, as {self._things[name]!r}',
                advice="Choose another name: a registry never replaces what it holds",
            )
        self._things[name] = thing
        return thing

    def get(self, name: str, *, where: str | None = None) -> T:
        """Return what is registered under `name`.

        Raises
        ------
        NameNotFoundError
            If there is no such name. The message suggests the nearest one and names the `where`
            that asked for it.
        """
        try:
            return self._things[name]
        except (KeyError, TypeError):  # TypeError: a name from a file that is not even hashable
            raise NameNotFoundError.among(self.kind, name, self._things, where=where) from None

    def __getitem__(self, name: str) -> T:
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, as a dict does."""
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def values(self) -> ValuesView[T]:
        """Return the registered things."""
        return self._things.values()

    def items(self) -> ItemsView[str, T]:
        """Return the pairs (name, thing)."""
        return self._things.items()

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}, {list(self._things)})"
