"""What a surface prints of an explanation, in order; how it is set is the surface's own.

Text, LaTeX and HTML read the same report, so that none says more, or something else, than another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from chainrule.explanation.captions import Caption
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.balance import Balance, balance
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.formulas import FEW, Definition, definitions_of, is_large
from chainrule.explanation.proofs import Proof
from chainrule.explanation.trace import Place
from chainrule.explanation.tree import Branch, grow

MOST = 8
"""How many terms of a sum have a line of their own."""
_MOST_BELOW = 3  # where a sum stands inside of another derivation


@dataclass(frozen=True)
class Section:
    """One derivation.

    Parameters
    ----------
    heading : str
        What it tells: ``Gradient``.
    tree : Branch
    change : float or None
        What the update adds, where it is an update.
    """

    heading: str
    tree: Branch
    change: float | None = None

    @property
    def explanation(self) -> Explanation:
        """The number that is derived."""
        return self.tree.explanation


@dataclass(frozen=True)
class Report:
    """One number, for printing.

    Parameters
    ----------
    explanation : Explanation
    sections : tuple of Section
    most : int
        How many terms of a sum have a line of their own.
    """

    explanation: Explanation
    sections: tuple[Section, ...]
    most: int

    @property
    def context(self) -> str:
        """Of which step the number is, and what computed it."""
        trace = self.explanation.trace
        about = trace.about
        dtype = trace.node(self.explanation.place).dtype.numpy.name
        batch = "one example" if len(about.rows) == 1 else f"{len(about.rows)} examples"
        arithmetic, _, sums = about.computed_by.partition(" ")
        how = f" ({sums})" if sums else ""
        return f"update {about.step}, {batch}, {dtype}, computed by {arithmetic}{how}"

    @property
    def goes_into(self) -> str:
        """What reads a number that nothing computed, where that is all there is to tell of it."""
        explanation = self.explanation
        graph, node = explanation.trace.graph, explanation.place.node
        reached, found = {node}, []
        for i in range(node + 1, len(graph.nodes)):
            if reached.isdisjoint(graph.nodes[i].inputs):
                continue
            if graph.nodes[i].name is None:
                reached.add(i)
            else:
                found.append(graph.name_of(i))
        shown = ", ".join(found[:FEW])
        return f"{shown} and {len(found) - FEW} others" if len(found) > FEW else shown

    @cached_property
    def explanations(self) -> list[Explanation]:
        """Every number that is opened."""
        return [each for section in self.sections for each in section.tree.explanations]

    @cached_property
    def captions(self) -> list[Caption]:
        """The names of the patterns that occur, each once."""
        found = (each.caption for each in self.explanations)
        return list(dict.fromkeys(caption for caption in found if caption is not None))

    @cached_property
    def definitions(self) -> list[Definition]:
        """The functions that occur, each once."""
        return definitions_of(self.explanations)

    @cached_property
    def proofs(self) -> list[tuple[Explanation, Proof]]:
        """Both proofs of each number that a section is about."""
        return [
            (section.explanation, proof)
            for section in self.sections
            for proof in section.explanation.proofs
        ]

    @cached_property
    def doubtful(self) -> list[Proof]:
        """Re-evaluations that fail among the other numbers that are opened."""
        own = {section.explanation.place for section in self.sections}
        others = (each for each in self.explanations if each.place not in own)
        return [each.proofs[0] for each in others if each.proofs[0].holds is False]

    @property
    def is_whole(self) -> bool:
        """Whether every derivation goes down to data and weights."""
        return all(section.tree.is_whole for section in self.sections)

    @cached_property
    def closed(self) -> Explanation | None:
        """One of the numbers that are not opened."""
        branches = (branch for section in self.sections for _, branch in section.tree.walk())
        return next((each for branch in branches for each in branch.closed), None)

    @cached_property
    def source_line(self) -> tuple[str, str] | None:
        """The user's line that the number comes from: where it is, and its text."""
        for explanation in (self.explanation, *self.explanations):
            source = explanation.source
            # What is installed among libraries is nobody's own line: a command was typed.
            if source is not None and "site-packages" not in source.file:
                lines = explanation.trace.about.lines
                return str(source), lines.get(f"{source.file}:{source.line}", "")
        return None

    def balance_of(self, branch: Branch) -> Balance | None:
        """The table of a number's terms, where it says more than its formula."""
        explanation = branch.explanation
        if explanation.is_given:
            return None
        if not is_large(explanation.terms):
            return None
        is_first = any(section.tree is branch for section in self.sections)
        return balance(explanation, self.most if is_first else min(_MOST_BELOW, self.most))


def report_of(explanation: Explanation, depth: int | None = None, most: int = MOST) -> Report:
    """Return what is to be printed of a number.

    Parameters
    ----------
    explanation : Explanation
    depth : int, optional
        How many levels are opened; by default as many as are read with ease.
    most : int
        How many terms of a sum have a line of their own.
    """
    is_loss = explanation.trace.graph.labels.get("loss") == explanation.place.node
    subjects: list[tuple[str, Explanation | None, float | None]] = [
        ("Value", None if explanation.is_given else explanation, None),
        ("Gradient", None if is_loss else explanation.gradient, None),
        ("Update", explanation.update, explanation.change),
    ]
    opened: set[Place] = set()
    sections = []
    for heading, subject, change in subjects:
        if subject is None or subject.is_given:
            continue
        tree = grow(subject, depth, frozenset(opened))
        opened.update(each.place for each in tree.explanations)
        sections.append(Section(heading, tree, change))
    return Report(explanation, tuple(sections), most)


def name_to_type(explanation: Explanation) -> str | None:
    """The name by which a number is opened; None for one that stands inside of a composite."""
    trace = explanation.trace
    name = trace.names_of_places.get(explanation.place, explanation.name)
    is_inside = any("%" in known for known in trace.graph.positions)
    if name.startswith("%") and is_inside:
        return None
    return name[name.find("%") :] if "%" in name else name


def in_python(explanation: Explanation) -> str | None:
    """What is typed in Python to open a number."""
    name = name_to_type(explanation)
    where = "trace.opened" if name is None else "trace"
    return f'{where}["{name or explanation.name}"].show()'


def title_of(explanation: Explanation) -> str:
    """``w5 = 0.4``."""
    return f"{explanation.symbol} = {number(explanation.value)}"
