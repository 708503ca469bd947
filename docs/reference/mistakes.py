"""Pages of mistakes: what was done, the rule that it breaks, the hints that check gives."""

from __future__ import annotations

from markupsafe import Markup

from chainrule.explanation.checking.mistake import Fault, Mistake
from docs.reference.content import Definitions, Link, Linker, Page, Section, paragraph

_LEVELS = ("Where to look", "What is wrong", "How to mend it")


def mistake_page(link: Link, mistake: Mistake, linker: Linker) -> Page:
    """Title, sentence, rule and hints of a mistake."""
    fault = Fault(mistake, "at its place", lambda draft: None)
    hints = [
        (level, "", Markup("{}").format(hint))
        for level, hint in zip(_LEVELS, fault.hints, strict=True)
    ]
    return Page(
        link,
        heading="Mistake",
        signature=mistake.title,
        summary=Markup("{}").format(fault.sentence),
        sections=(
            Section("rule", "The rule that it breaks", [paragraph(fault.rule)]),
            Section("hints", "Hints, each telling more", [Definitions(hints)]),
        ),
    )
