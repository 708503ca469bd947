"""``--set KEY=VALUE``: any key of an experiment, from the command line."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from chainrule.base.errors import ConfigurationError

Changes = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        metavar="KEY=VALUE",
        negative="",
        help="Any key of the experiment, as `chainrule train` takes it. Repeatable.",
    ),
]
"""The option, for a command that makes an experiment's step without training it."""


def change(text: str) -> tuple[str, tuple[Any, str]]:
    """Read ``training.epochs=5``: the key, its value as TOML has it, and how to call it."""
    import tomllib

    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigurationError(f'--set takes KEY=VALUE, as in training.epochs=5; got "{text}"')
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # text without quotes, which the shell has taken away
    return key, (parsed, f"--set {key}")
