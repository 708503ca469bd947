"""A session's state as it was, which takes memory of its own only where somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chainrule.backends.protocol import Array
from chainrule.base.constant import make_constant


class HeldState(Mapping[str, Array]):
    """What a session's state is now, by input name: arrays that nobody can write in.

    They are copied when one is asked for, or when the session is about to replace them. So there
    are never two copies at once for having stood at two places, one after the other.

    Parameters
    ----------
    places : mapping of str to array
        Where the session keeps it.
    """

    def __init__(self, places: Mapping[str, Array]) -> None:
        self._places = places
        self._copies: Mapping[str, Array] | None = None

    def settle(self) -> Mapping[str, Array]:
        """Copy it, if that has not been done."""
        if self._copies is None:
            copies = {name: array.copy() for name, array in self._places.items()}
            for array in copies.values():
                make_constant(array)
            # In one assignment, for Ctrl-C; then the session's memory is not held any more.
            self._copies = self._places = copies
        return self._copies

    def __getitem__(self, name: str) -> Array:
        return self.settle()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
