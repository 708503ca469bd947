"""Groups: other options, or another optimiser, for the parameters whose paths match a pattern.

A member of a group is updated by a *variant*: the same optimiser, made with the other options, or
the optimiser that stands in the place of options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from chainrule.base.errors import (
    ChainruleError,
    ConfigurationError,
    NameNotFoundError,
)
from chainrule.optim.options import Configured, option_names

C = TypeVar("C", bound=Configured)
Groups = Mapping[str, Mapping[str, Any] | C]

OF_ALL = {"groups": None, "clip_norm": None, "clip_value": None}
"""Options of the optimiser as a whole, which no group can change, and what a variant has."""


def read_groups(
    optimizer: C, groups: Any, make: Callable[[str, Mapping[str, Any]], C]
) -> dict[str, dict[str, Any] | C]:
    """Return `groups` as plain data, each option read as the optimiser itself reads it.

    Parameters
    ----------
    optimizer : Optimizer
    groups : mapping of str to mapping or Optimizer
        A mapping with a ``name`` is an optimiser's configuration.
    make : callable
        From a name and the other options to an optimiser.

    Raises
    ------
    NameNotFoundError
        If a group has an option that the optimiser has not.
    ConfigurationError
        If `groups` maps no patterns to options, or an option has a value it cannot have.
    """
    owner = type(optimizer).__name__
    mappings = isinstance(groups, Mapping) and all(
        isinstance(pattern, str) and isinstance(options, Mapping | Configured)
        for pattern, options in groups.items()
    )
    if not mappings:
        raise ConfigurationError(
            f"{owner} takes groups as options by pattern; got {groups!r}",
            advice='Write groups={"*.bias": {"weight_decay": 0}}',
        )
    found: dict[str, dict[str, Any] | C] = {}
    for pattern, options in groups.items():
        try:
            if isinstance(options, Mapping) and "name" in options:
                rest = {option: value for option, value in options.items() if option != "name"}
                options = make(options["name"], rest)
            found[pattern] = _read_group(optimizer, options)
        except ChainruleError as error:
            error.where = f'Group "{pattern}"'
            raise
    return found


def _read_group(optimizer: C, options: Mapping[str, Any] | Configured) -> dict[str, Any] | C:
    owner = type(optimizer).__name__
    if isinstance(options, Mapping):
        known = [name for name in option_names(type(optimizer)) if name not in OF_ALL]
        for option in options:
            if option not in known:
                raise NameNotFoundError.among(f"option of a group of {owner}", option, known)
        variant = replace(optimizer, **{**OF_ALL, **options})
        return {option: getattr(variant, option) for option in options}
    if not set(OF_ALL) <= set(option_names(type(options))):
        raise ConfigurationError(
            f"{owner} takes a group as options or as an optimizer; got {options!r}"
        )
    for option in OF_ALL:
        if getattr(options, option) is not None:
            raise ConfigurationError(
                f"{owner} takes a group's optimizer without {option}, which is for all parameters "
                f"together; got {options!r}"
            )
    return options  # type: ignore[return-value]


def variant_for(optimizer: C, groups: Groups[C], path: str) -> C:
    """The optimiser of the parameter at `path`; of matching patterns the later ones win."""
    return _variant(optimizer, groups, _matching(groups, path))


def variants_by_path(optimizer: C, groups: Groups[C], paths: Iterable[str]) -> dict[str, C]:
    """The optimiser of each parameter: one object for all that match the same patterns.

    Raises
    ------
    NameNotFoundError
        If a pattern matches none of `paths`, or gives an option to a group's optimiser that that
        has not.
    """
    matching = {path: _matching(groups, path) for path in paths}
    for pattern in groups:
        if not any(pattern in patterns for patterns in matching.values()):
            raise NameNotFoundError.of_pattern(pattern, "groups", list(matching))
    made = {patterns: _variant(optimizer, groups, patterns) for patterns in set(matching.values())}
    return {path: made[patterns] for path, patterns in matching.items()}


def _matching(groups: Groups[C], path: str) -> tuple[str, ...]:
    return tuple(pattern for pattern in groups if fnmatchcase(path, pattern))


def _variant(optimizer: C, groups: Groups[C], patterns: tuple[str, ...]) -> C:
    if not patterns:
        return optimizer
    base, options = optimizer, dict(OF_ALL)
    for pattern in patterns:
        group = groups[pattern]
        if not isinstance(group, Mapping):
            base, options = group, {}
            continue
        known = option_names(type(base))
        for option in group:
            if option not in known:
                kind = f"option of {type(base).__name__}"
                raise NameNotFoundError.among(kind, option, known, where=f'Group "{pattern}"')
        options |= group
    return replace(base, **options)
