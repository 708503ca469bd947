"""The site: all pages, the index, style and plots, as files that refer to each other."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from docs.reference.content import Figure, Link, Links, Page, Section
from docs.reference.kinds import KINDS, linker
from docs.reference.paths import HERE
from docs.reference.plots import svg

_TEMPLATES = HERE / "templates"


@dataclass(frozen=True)
class Site:
    """Every page, by its link."""

    pages: Mapping[Link, Page]

    def in_order(self) -> Iterator[Page]:
        """All pages from A to Z, whatever their kind."""
        return iter(sorted(self.pages.values(), key=lambda page: _sorted_as(page.link.name)))


def read_site() -> Site:
    """Read every page from its declaration, and say on each where the part is used."""
    pages = {link: page_of(link) for kind in KINDS.values() for link in kind.links()}
    users: dict[Link, list[Link]] = defaultdict(list)
    for link, page in pages.items():
        for block in page.blocks("ops"):
            if isinstance(block, Links):
                for used in block.to:
                    users[used].append(link)
    return Site({link: _with_users(page, users[link]) for link, page in pages.items()})


def page_of(link: Link) -> Page:
    """Read one page."""
    kind = KINDS[link.kind]
    return kind.page(link, kind.registry[link.name], linker(link.kind))


def _with_users(page: Page, users: list[Link]) -> Page:
    if not users:
        return page
    used = Section("users", "Used by", [Links(sorted(users, key=lambda link: link.path))])
    *others, last = page.sections
    return replace(page, sections=(*others, used, last))


def _sorted_as(name: str) -> str:
    return unicodedata.normalize("NFKD", name).casefold()


def write_site(site: Site, folder: Path) -> list[Path]:
    """Write all files; return them."""
    files = dict(site_files(site))
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return [folder / path for path in files]


def site_files(site: Site) -> Iterator[tuple[str, str]]:
    """Each file's path below the site's top, and its text."""
    environment = _environment()
    yield "style.css", (HERE / "style.css").read_text(encoding="utf-8")
    kinds = [(kind, [site.pages[link] for link in kind.links()]) for kind in KINDS.values()]
    yield "index.html", environment.get_template("index.html").render(kinds=kinds, top="")
    letters: dict[str, list[Page]] = defaultdict(list)
    for page in site.in_order():
        letters[_sorted_as(page.link.name)[0].upper()].append(page)
    yield "a-to-z.html", environment.get_template("letters.html").render(letters=letters, top="")
    for page in site.pages.values():
        yield from page_files(page, environment)


def page_files(page: Page, environment: Environment | None = None) -> Iterator[tuple[str, str]]:
    """A page's own files: the page, and its plots."""
    template = (environment or _environment()).get_template("page.html")
    kind = KINDS[page.link.kind]
    shown = [section for section in page.sections if not section.is_empty]
    yield page.link.path, template.render(page=page, kind=kind, sections=shown, top="../")
    for section in shown:
        for block in section.blocks:
            if isinstance(block, Figure):
                yield f"{page.link.kind}/{block.plot.name}.svg", svg(block.plot)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["KINDS"] = KINDS
    environment.tests["block"] = lambda block, name: type(block).__name__ == name
    return environment
