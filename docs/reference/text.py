"""What every part with a docstring has: signature, parameters, notes, errors, examples."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import Any

from docs.reference.content import Block, Definitions, Link, Linker, Listing, Page, Prose, Section
from docs.reference.docstrings import Docstring, docstring_of, html_of, inline_html_of


def page_of(
    link: Link,
    heading: str,
    thing: Any,
    linker: Linker,
    sections: Sequence[Section] = (),
    options: Block | None = None,
) -> Page:
    """The page of a class or function: its own sections between those of its docstring.

    Parameters
    ----------
    link : Link
    heading : str
    thing : type or function
    linker : callable
    sections : sequence of Section
        What is read from the code.
    options : Block, optional
        What values its parameters take.
    """
    text = docstring_of(thing)
    name = link.name
    linker = _without(linker, {name, *inspect.signature(thing).parameters})

    def prose(*parts: str) -> list[Block]:
        return [Prose(html_of(part, linker, name)) for part in parts if part]

    parameters = definitions(text, "Parameters", linker, name)
    return Page(
        link,
        heading=heading,
        signature=signature_of(thing, name),
        summary=inline_html_of(text.summary, linker, name),
        sections=(
            Section("description", "Description", prose(text.text)),
            *(section for section in sections if section.key != "source"),
            Section("parameters", "Parameters", [*parameters, *([options] if options else [])]),
            Section("attributes", "Attributes", definitions(text, "Attributes", linker, name)),
            Section("notes", "Notes", prose(text.notes)),
            Section("returns", "Returns", definitions(text, "Returns", linker, name)),
            Section("refusals", "What it refuses", definitions(text, "Raises", linker, name)),
            Section("examples", "Examples", [Listing(text.examples)] if text.examples else []),
            *(section for section in sections if section.key == "source"),
        ),
    )


def _without(linker: Linker, names: Collection[str]) -> Linker:
    """No link to the page one is on, nor to an op that a parameter shares its name with."""
    return lambda text: None if text in names else linker(text)


def definitions(text: Docstring, title: str, linker: Linker, where: str) -> list[Block]:
    """A docstring's section of names, as a list of definitions."""
    entries = text.entries.get(title, [])
    shown = [(entry.names, entry.type, html_of(entry.text, linker, where)) for entry in entries]
    return [Definitions(shown)] if shown else []


def signature_of(thing: Any, name: str) -> str:
    """The name with its parameters and their defaults, without types."""
    shown: list[str] = []
    starred = False
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name.startswith("_"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        if parameter.kind is parameter.VAR_POSITIONAL:
            shown.append(f"*{parameter.name}")
            starred = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            shown.append(f"**{parameter.name}")
        elif parameter.default is parameter.empty:
            shown.append(parameter.name)
        else:
            shown.append(f"{parameter.name}={parameter.default!r}")
    return f"{name}({', '.join(shown)})"


def described(made: Any) -> str:
    """An instance as its repr, on one line."""
    return " ".join(repr(made).split())
