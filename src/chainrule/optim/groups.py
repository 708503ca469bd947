"""Groups: other options for the parameters whose paths match a pattern.

A member of a group is updated by a *variant*: the same optimiser, made with the other options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from chainrule.base.errors import (
    ChainruleError,
    ConfigurationError,
    NameNotFoundError,
    did_you_mean,
    listed,
)
from chainrule.optim.options import Configured, option_names

C = TypeVar("C", bound=Configured)
Groups = Mapping[str, Mapping[str, Any]]

OF_ALL = {"groups": None, "clip_norm": None, "clip_value": None}
"""Options of the optimiser as a whole, which no group can change, and what a variant has."""


def read_groups(optimizer: Configured, groups: Any) -> dict[str, dict[str, Any]]:
    """Return `groups` as plain data, each option read as the optimiser itself reads it.

    Raises
    ------
    NameNotFoundError
        If a group has an option that the optimiser has not.
    ConfigurationError
        If `groups` maps no patterns to options, or an option has a value it cannot have.
    """
    owner = type(optimizer).__name__
    mappings = isinstance(groups, Mapping) and all(
        isinstance(pattern, str) and isinstance(options, Mapping)
        for pattern, options in groups.items()
    )
    if not mappings:
        raise ConfigurationError(
            f"{owner} takes groups as options by pattern; got {groups!r}",
            advice='Write groups={"*.bias": {"weight_decay": 0}}',
        )
    known = [name for name in option_names(type(optimizer)) if name not in OF_ALL]
    found = {}
    for pattern, options in groups.items():
        where = f'Group "{pattern}"'
        for option in options:
            if option not in known:
                kind = f"option of a group of {owner}"
                raise NameNotFoundError.among(kind, option, known, where=where)
        try:
            variant = replace(optimizer, **{**OF_ALL, **options})
        except ChainruleError as error:
            error.where = where
            raise
        found[pattern] = {option: getattr(variant, option) for option in options}
    return found


def variant_for(optimizer: C, groups: Groups, path: str) -> C:
    """The optimiser of the parameter at `path`; of matching patterns the later ones win."""
    return _variant(optimizer, groups, _matching(groups, path))


def variants_by_path(optimizer: C, groups: Groups, paths: Iterable[str]) -> dict[str, C]:
    """The optimiser of each parameter: one object for all that match the same patterns.

    Raises
    ------
    NameNotFoundError
        If a pattern matches none of `paths`.
    """
    matching = {path: _matching(groups, path) for path in paths}
    for pattern in groups:
        if not any(pattern in patterns for patterns in matching.values()):
            raise _unmatched(pattern, list(matching))
    made = {patterns: _variant(optimizer, groups, patterns) for patterns in set(matching.values())}
    return {path: made[patterns] for path, patterns in matching.items()}


def _matching(groups: Groups, path: str) -> tuple[str, ...]:
    return tuple(pattern for pattern in groups if fnmatchcase(path, pattern))


def _variant(optimizer: C, groups: Groups, patterns: tuple[str, ...]) -> C:
    options: dict[str, Any] = dict(OF_ALL)
    for pattern in patterns:
        options |= groups[pattern]
    return replace(optimizer, **options) if patterns else optimizer


def _unmatched(pattern: str, paths: list[str]) -> NameNotFoundError:
    endings = dict.fromkeys("*." + path.rpartition(".")[2] for path in paths if "." in path)
    parts = (did_you_mean(pattern, [*endings, *paths]), f"There are: {listed(paths)}")
    return NameNotFoundError(
        f'The pattern "{pattern}" of groups matches no parameter that is trained',
        advice=" ".join(filter(None, parts)),
    )
