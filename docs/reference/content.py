"""What a page is made of: sections of blocks, which the templates lay out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from markupsafe import Markup

from chainrule.ops import format_expression
from chainrule.ops.expression import Expression
from docs.reference.plots import Plot
from docs.reference.symbols import markup_of


@dataclass(frozen=True)
class Link:
    """A part's page, from anywhere: ``ops/sigmoid``."""

    kind: str
    name: str

    @property
    def path(self) -> str:
        """The page's file, below the site's top."""
        return f"{self.kind}/{self.name}.html"


@dataclass(frozen=True)
class Formula:
    """A formula that was printed from an expression.

    Parameters
    ----------
    left : Expression
        What it is the formula of.
    right : Expression
    note : str
        What is said beside it.
    assigned : bool
        Whether the left side is given a new value: an arrow instead of an equals sign.
    """

    left: Expression
    right: Expression
    note: str = ""
    assigned: bool = False

    @property
    def markup(self) -> Markup:
        """Presentation MathML, without the ``<math>`` around it."""
        relation = "←" if self.assigned else "="
        sides = markup_of(self.left), markup_of(self.right)
        return Markup("<mrow>{}</mrow><mo>{}</mo><mrow>{}</mrow>").format(
            Markup(sides[0]), relation, Markup(sides[1])
        )

    @property
    def text(self) -> str:
        """The formula on one line, for those who cannot see it."""
        relation = "←" if self.assigned else "="
        return f"{format_expression(self.left)} {relation} {format_expression(self.right)}"


@dataclass(frozen=True)
class Formulas:
    """Formulas, one below the other."""

    lines: Sequence[Formula]


@dataclass(frozen=True)
class Prose:
    """Paragraphs, already HTML."""

    html: Markup


def paragraph(text: str) -> Prose:
    """One sentence or more, as they are."""
    return Prose(Markup("<p>{}</p>").format(text))


@dataclass(frozen=True)
class Definitions:
    """Names with what they mean: parameters, attributes, errors."""

    entries: Sequence[tuple[str, str, Markup]]


@dataclass(frozen=True)
class Table:
    """Rows below a head; numbers stand to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    label: str


@dataclass(frozen=True)
class Figure:
    """A plot, drawn when the site is written."""

    plot: Plot


@dataclass(frozen=True)
class Listing:
    """Code, or a graph, as it is printed; `summary` folds it away behind a title."""

    text: str
    summary: str = ""


@dataclass(frozen=True)
class Links:
    """Parts that this one is made of, or is part of."""

    to: Sequence[Link]


Block: TypeAlias = Formulas | Prose | Definitions | Table | Figure | Listing | Links


@dataclass(frozen=True)
class Section:
    """A titled part of a page. The key is what tests ask for: ``"derivative"``."""

    key: str
    title: str
    blocks: Sequence[Block]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be seen of it."""
        return not self.blocks


@dataclass(frozen=True)
class Page:
    """The page of one part.

    Parameters
    ----------
    link : Link
    heading : str
        What is above its title, such as "Elementwise op".
    signature : str
    summary : Markup
    sections : sequence of Section
    """

    link: Link
    heading: str
    signature: str
    summary: Markup
    sections: Sequence[Section] = field(default_factory=tuple)

    def blocks(self, key: str) -> list[Block]:
        """The blocks of its sections of this key."""
        return [
            block for section in self.sections if section.key == key for block in section.blocks
        ]


Linker: TypeAlias = Callable[[str], Link | None]
"""From a name in a text to the page of that part."""
