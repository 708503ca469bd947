"""The page as one file: markup, style, script and content, and a policy that names them alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from chainrule.base.file_kinds import FileKind
from chainrule.base.files import Pathlike, write_durably
from chainrule.explanation.page.content import content_of
from chainrule.explanation.page.pictures import Picture, pictures_of
from chainrule.explanation.trace import Trace

PAGE = FileKind("A step as a page", (".html",))

SCRIPTS = (
    "values.js",
    "terms.js",
    "formulas.js",
    "tensors.js",
    "panel.js",
    "pictures.js",
    "stepper.js",
    "page.js",
)
"""The files of the page's script, in the order in which they stand in it."""

_HOLE = re.compile(r"\{\{(\w+)\}\}")


def to_html(trace: Trace, path: Pathlike, include: str | Sequence[str] = ()) -> None:
    """Write a step as one HTML file in which every number opens.

    Parameters
    ----------
    trace : Trace
    path
        A ``.html`` file; it is replaced whole or not at all. Its folder must exist.

    Raises
    ------
    ConfigurationError
        If it is no ``.html`` file.
    OSError
        As the system says; FolderNotFoundError is one.
    """
    PAGE.check(path)
    write_durably(path, document_of(trace, include).encode("utf-8"))


def document_of(trace: Trace, include: str | Sequence[str] = ()) -> str:
    """Return the text of the file."""
    script = "\n".join(_file(name) for name in SCRIPTS)
    pictures, colours = pictures_of(trace.opened)
    style = f"{_file('page.css')}\n{colours}"
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "title": escape(_title(trace)),
        "style": style,
        "script": script,
        "pictures": "".join(map(_figure, pictures)),
        "content": as_script_data(content_of(trace, include)),
    }
    return _filled(_file("page.html"), parts)


def _figure(picture: Picture) -> str:
    """A picture in its frame; what stands around it, the script makes."""
    return f'<figure class="picture" data-kind="{picture.kind}">{picture.svg}</figure>\n'


def as_script_data(content: Any) -> str:
    r"""JSON that stands in a script element: no ``<`` in it can end the element, or open another.

    Examples
    --------
    >>> print(as_script_data({"name": "</script>"}))
    {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _title(trace: Trace) -> str:
    network = trace.about.network.partition("(")[0]
    return f"Step {trace.about.step} of {network or 'a network'}, every number opened"


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with its holes filled, once: what is put in is not looked at again."""
    return _HOLE.sub(lambda hole: parts[hole[1]], template)


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The name of an inline element in a content security policy."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
