"""Docstrings as HTML: numpydoc's sections, their text as reStructuredText."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import docstring_parser as numpydoc
from docutils import nodes
from docutils.core import publish_doctree, publish_from_doctree
from docutils.parsers.rst import Parser, roles, states
from markupsafe import Markup

from docs.reference.content import Linker

_YEAR = r"\b(?:1[89]|20)\d\d\b"
_IN_BRACKETS = re.compile(rf"\[([^\[\]]*?{_YEAR}[^\[\]]*)\]")
_NAME = r"[A-Z][\w’-]+"
_PLACE = r"(?:, (?:eqs?\.|alg\.|sections?|chapter|table|slide|§+) ?[\w.]*\w)?"
_IN_A_SENTENCE = re.compile(rf"{_NAME}(?: et al\.|(?:, {_NAME})*,? and {_NAME})? {_YEAR}{_PLACE}")
_SETTINGS = {
    "report_level": 2,
    "halt_level": 2,  # what docutils warns of is a mistake in the docstring
    "raw_enabled": False,
    "file_insertion_enabled": False,
    "doctitle_xform": False,
    "smart_quotes": False,
    "input_encoding": "unicode",
    "output_encoding": "unicode",
    "math_output": "MathML",
}


@dataclass(frozen=True)
class Entry:
    """One line of a Parameters section and what is below it."""

    names: str
    type: str
    text: str


@dataclass(frozen=True)
class Docstring:
    """A docstring's parts, as text.

    Parameters
    ----------
    summary : str
    text : str
        What follows it, up to the first section.
    entries : dict of str to list of Entry
        Sections of names: Parameters, Attributes, Returns, Raises.
    notes : str
    examples : str
    """

    summary: str
    text: str
    entries: dict[str, list[Entry]]
    notes: str
    examples: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Who published it: names with a year, in brackets or in a sentence, each once."""
        whole = "\n".join((self.summary, self.text, self.notes))
        whole += "\n" + "\n".join(entry.text for part in self.entries.values() for entry in part)
        whole = re.sub(r"\s+", " ", whole)
        cited = [match[1] for match in _IN_BRACKETS.finditer(whole)]
        cited += [match[0] for match in _IN_A_SENTENCE.finditer(_IN_BRACKETS.sub("", whole))]
        return tuple(dict.fromkeys(cited))

    @property
    def calls(self) -> Sequence[doctest.Example]:
        """The examples' statements."""
        return doctest.DocTestParser().get_examples(self.examples)


_SECTIONS = {
    "param": "Parameters",
    "attribute": "Attributes",
    "returns": "Returns",
    "raises": "Raises",
}


def docstring_of(thing: Any) -> Docstring:
    """Read the docstring of a class or function."""
    text = inspect.cleandoc(thing.__doc__ or "")
    parsed = numpydoc.parse(text, style=numpydoc.DocstringStyle.NUMPYDOC)
    entries: dict[str, list[Entry]] = {}
    notes = ""
    for part in parsed.meta:
        key = part.args[0]
        if key in _SECTIONS:
            names = ", ".join(part.args[1:])
            kind = getattr(part, "type_name", None) or ""
            if key in ("returns", "raises"):
                names, kind = kind or names, ""
            optional = ", optional" if getattr(part, "is_optional", False) else ""
            entry = Entry(names, kind + optional, part.description or "")
            entries.setdefault(_SECTIONS[key], []).append(entry)
        elif key == "notes":
            notes = part.description or ""
    return Docstring(
        parsed.short_description or "",
        parsed.long_description or "",
        entries,
        notes,
        _section(text, "Examples"),
    )


def _section(text: str, title: str) -> str:
    """A section as it stands: doctest reads it better than any other parser."""
    pattern = rf"^{title}\n-+\n(.*?)(?=^\w[\w ]*\n---|\Z)"
    match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    return match[1].strip("\n") if match else ""


def _inliner() -> Any:
    """|x| is an absolute value and x_ a name, in docstrings about mathematics."""

    def as_text(inliner: Any, match: Any, line: int) -> Any:
        return match.string[: match.end()], [], match.string[match.end() :], []

    inliner: Any = states.Inliner()
    inliner.dispatch = {**inliner.dispatch, **dict.fromkeys(("|", "_", "__", "]_"), as_text)}
    return inliner


def html_of(text: str, link: Linker, where: str) -> Markup:
    """Paragraphs, lists and code of a docstring's text, as HTML.

    Parameters
    ----------
    text : str
    link : callable
        From a name in single backquotes to its page, or None.
    where : str
        Whose docstring it is, for errors.
    """
    roles._roles[""] = _role(link)  # type: ignore[attr-defined]
    try:
        tree = publish_doctree(
            text,
            source_path=where,
            parser=Parser(inliner=_inliner()),
            settings_overrides=_SETTINGS,
        )
    finally:
        roles._roles.pop("", None)  # type: ignore[attr-defined]
    page = publish_from_doctree(tree, writer="html5", settings_overrides=_SETTINGS)
    body = re.search(r"<main[^>]*>(.*)</main>", page, re.DOTALL)
    html = body[1].strip() if body else ""
    html = re.sub(r'<span class="pre">(.*?)</span>', r"\1", html)
    return Markup(re.sub(r'<span class="docutils literal">(.*?)</span>', r"<code>\1</code>", html))


def inline_html_of(text: str, link: Linker, where: str) -> Markup:
    """The same for one paragraph, without its tag."""
    html = html_of(text, link, where).strip()
    match = re.fullmatch(r"<p>(.*?)</p>", html, re.DOTALL)
    return Markup(match[1]) if match else html


def _role(link: Linker) -> Callable[..., Any]:
    def role(
        name: str,
        raw: str,
        text: str,
        line: int,
        inliner: Any,
        options: Any = None,
        content: Any = (),
    ) -> Any:
        target = link(text)
        if target is None:
            return [nodes.literal(raw, text)], []
        return [nodes.reference(raw, "", nodes.literal("", text), refuri=f"../{target.path}")], []

    return role
