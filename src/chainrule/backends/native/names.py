"""The names that statements take from around them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Let,
    Local,
    Loop,
    Position,
    Prefetch,
    Read,
    Statement,
    Turn,
    Value,
    Write,
)


def free_names(body: Sequence[Statement], known: Collection[str] = ()) -> set[str]:
    """Locals and indices that statements use and do not make."""
    bound, free = set(known), set[str]()
    for statement in body:
        match statement:
            case Let(name, value):
                free |= _names([value]) - bound
                bound.add(name)
            case Write(_, at, value):
                free |= (_names([value]) | _indices(at)) - bound
            case Prefetch(_, at):
                free |= _indices(at) - bound
            case Turn(_, at, _, _, to):
                free |= (_indices(at) | _indices(to)) - bound
            case Loop(name, _, inner, _, carried):
                free |= _names([c.start for c in carried]) - bound
                made = {c.name for c in carried}
                inside = {*bound, name, *made}
                free |= free_names(inner, inside)
                lets = {each.name for each in inner if isinstance(each, Let)}
                loops = {c.name for each in inner if isinstance(each, Loop) for c in each.carried}
                free |= _names([c.next for c in carried]) - inside - lets - loops
                bound |= made
    return free


def _names(values: Sequence[Value]) -> set[str]:
    found, todo = set[str](), list(values)
    while todo:
        match todo.pop():
            case Local(name):
                found.add(name)
            case Position(at) | Read(_, at):
                found |= _indices(at)
            case Apply(_, arguments):
                todo += arguments
    return found


def _indices(at: Affine) -> set[str]:
    return {name for name, _ in at.terms}
