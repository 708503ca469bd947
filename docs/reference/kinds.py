"""The kinds of parts: for each registry, what its pages are made of. A new kind is a new line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from chainrule.base.registry import Registry
from chainrule.data.catalogue import DATASETS, Entry
from chainrule.explanation.checking.mistakes import MISTAKES
from chainrule.nn import LAYERS, LOSSES, METRICS, PENALTIES
from chainrule.nn.initializers import INITIALIZERS
from chainrule.ops import OPS, Composite, Declaration, Elementwise
from chainrule.ops.table import Structural
from chainrule.optim import MINIMIZERS, OPTIMIZERS, SCHEDULES
from chainrule.train.callbacks import CALLBACKS
from docs.reference.compositions import composition_page
from docs.reference.content import Link, Linker, Page, Section, Table, paragraph
from docs.reference.docstrings import docstring_of
from docs.reference.elementwise import elementwise_page
from docs.reference.graph_ops import composite_page, structural_page
from docs.reference.initializers import initializer_page
from docs.reference.mistakes import mistake_page
from docs.reference.optimizers import minimizer_page, optimizer_page
from docs.reference.schedules import schedule_page
from docs.reference.text import page_of


@dataclass(frozen=True)
class Kind:
    """Parts of one registry.

    Parameters
    ----------
    folder : str
        Where their pages are, which is also how a link names the kind.
    title : str
    registry : Registry
    page : callable
        Makes the page of one of them.
    has : tuple of str
        The sections that every page of this kind has something in.
    """

    folder: str
    title: str
    registry: Registry[Any]
    page: Callable[[Link, Any, Linker], Page]
    has: tuple[str, ...]

    def links(self) -> Iterator[Link]:
        """The pages of this kind, in the order of the registry."""
        return (Link(self.folder, name) for name in self.registry)


def _op_page(link: Link, op: Declaration, linker: Linker) -> Page:
    match op:
        case Elementwise():
            return elementwise_page(link, op)
        case Composite():
            return composite_page(link, op, linker)
        case Structural():
            return structural_page(link, op, linker)
    raise TypeError(f"{type(op).__name__} has no pages")


def _plain_page(heading: str) -> Callable[[Link, Any, Linker], Page]:
    def page(link: Link, thing: Any, linker: Linker) -> Page:
        sources = docstring_of(thing).sources
        section = Section("source", "Source", [paragraph(f"{source}.") for source in sources])
        return page_of(link, heading, thing, linker, (section,))

    return page


def _dataset_page(link: Link, entry: Entry, linker: Linker) -> Page:
    facts = [["Shape", entry.shape], ["Kind", entry.kind], ["Licence", entry.licence]]
    options = ", ".join(f"{name}={default!r}" for name, default in entry.options.items())
    return Page(
        link,
        heading="Data set",
        signature=f"data.load({', '.join(filter(None, [repr(entry.name), options]))})",
        summary=Markup("{}").format(entry.description),
        sections=(
            Section("facts", "Facts", [Table(["", ""], [f for f in facts if f[1]], "Facts")]),
            Section("source", "Source", [paragraph(entry.source)] if entry.source else []),
        ),
    )


_OP = ("formula", "derivative", "samples", "refusals")

KINDS: Mapping[str, Kind] = {
    kind.folder: kind
    for kind in (
        Kind("layers", "Layers and activations", LAYERS, composition_page, ("formula",)),
        Kind("losses", "Losses", LOSSES, composition_page, ("formula", "derivative", "source")),
        Kind("penalties", "Penalties", PENALTIES, composition_page, ("formula", "derivative")),
        Kind("optimizers", "Optimisers", OPTIMIZERS, optimizer_page, ("formula", "source")),
        Kind("minimizers", "Minimizers", MINIMIZERS, minimizer_page, ("formula", "source")),
        Kind("schedules", "Schedules", SCHEDULES, schedule_page, ("plot", "examples")),
        Kind("metrics", "Metrics", METRICS, _plain_page("Metric"), ()),
        Kind("initializers", "Initialisers", INITIALIZERS, initializer_page, ("drawn",)),
        Kind("ops", "Ops", OPS, _op_page, _OP),
        Kind("callbacks", "Callbacks", CALLBACKS, _plain_page("Callback"), ("parameters",)),
        Kind("mistakes", "Mistakes that check names", MISTAKES, mistake_page, ("rule", "hints")),
        Kind("datasets", "Data sets", DATASETS, _dataset_page, ("facts",)),
    )
}
"""By folder, in the order of the index: what a user types comes before what it is made of."""


def linker(preferred: str) -> Linker:
    """From names in a text to pages, those of one kind first."""
    order = sorted(KINDS.values(), key=lambda kind: kind.folder != preferred)

    def link(text: str) -> Link | None:
        name = text.split(".")[-1]
        found = (Link(kind.folder, name) for kind in order if name in kind.registry)
        return next(found, None)

    return link
