"""Pages of mistakes: what was done, the rule that it breaks, the hints that check gives."""

from __future__ import annotations

from markupsafe import Markup

from chainrule.explanation.checking.mistake import Mistake
from docs.reference.content import Definitions, Link, Linker, Page, Section, paragraph

_LEVELS = ("Where to look", "What is wrong", "How to mend it")


def mistake_page(link: Link, mistake: Mistake, linker: Linker) -> Page:
    """Title, sentence, rule and hints of a mistake."""
    hints = [
        (level, "", Markup("{}").format(hint.replace("{where}", "at its place")))
        for level, hint in zip(_LEVELS, mistake.hints, strict=True)
    ]
    return Page(
        link,
        heading="Mistake",
        signature=mistake.title,
        summary=Markup("{}").format(mistake.sentence),
        sections=(
            Section("rule", "The rule that it breaks", [paragraph(mistake.rule)]),
            Section("hints", "Hints, each telling more", [Definitions(hints)]),
        ),
    )
