"""Learners who make mistakes: random ones, on random networks, who round what they write down."""

import functools

import numpy as np

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.explanation.checking.anatomy import take_apart
from chainrule.explanation.checking.check import judge
from chainrule.explanation.checking.draft import CircularError, Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import faults_of
from chainrule.explanation.checking.search import Search
from chainrule.explanation.checking.submission import Submission
from tests.explanation.drawn import draw


@functools.lru_cache(maxsize=2)
def anatomy_of(i):
    """The i-th random step taken apart; None where it follows no gradient.

    A batch norm refuses a batch of one example: of such no step can be made.
    """
    try:
        return take_apart(draw(i, "float64", "numpy"))
    except (ConfigurationError, ShapeError):
        return None


def anatomies(count, first=0):
    """Random steps that follow a gradient, as many as asked for."""
    i = first
    while count:
        anatomy = anatomy_of(i)
        if anatomy is not None:
            yield i, anatomy
            count -= 1
        i += 1


def drafted(anatomy, *faults):
    """The step with mistakes in it; None where they cannot be made together."""
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    try:
        draft.values(positions(anatomy).values())
    except CircularError:
        return None
    return draft


def positions(anatomy):
    """What a learner hands in: the gradients, and the weights after the update."""
    names = [f"{kind}{name}" for name in anatomy.parameters for kind in ("d_", "next.")]
    return {name: anatomy.names[name] for name in names if name in anatomy.names}


def written(anatomy, draft, digits):
    """Entries with so many significant digits; updated weights with nine, as programs print."""
    return [
        entry(name, position, draft.values([position])[position], 9 if "next." in name else digits)
        for name, position in positions(anatomy).items()
    ]


def entry(name, position, value, digits):
    """What a learner writes down of a value with so many significant digits."""
    value = np.asarray(value, np.float64)
    value = np.where(np.isfinite(value), value, np.nan)  # nobody writes that down
    with np.errstate(all="ignore"):
        power = np.floor(np.log10(np.abs(value)))
        unit = np.where(np.isfinite(power), 10.0 ** (power - digits + 1), 0.0)
        rounded = np.where(unit > 0, np.round(value / unit) * unit, value)
    return Entry(name, name, position, rounded, unit)


def judged(anatomy, mine, digits):
    """What check finds in gradients, by the names of their parameters, with so many digits."""
    entries = [
        entry(name, anatomy.names[f"d_{name}"], value, digits) for name, value in mine.items()
    ]
    return judge(anatomy, Submission(tuple(entries), {}))


def visible(anatomy, faults, digits):
    """The faults that make a difference in what is written down."""
    truth = written(anatomy, Draft(anatomy), digits)
    for fault in faults:
        draft = drafted(anatomy, fault)
        if draft is None:
            continue
        for entry, true in zip(written(anatomy, draft, digits), truth, strict=True):
            if entry.given.any() and not entry.agrees(anatomy.values[true.position]):
                yield fault
                break


def chosen(anatomy, rng, count, digits=4):
    """Random faults that show, one mistake as likely as another; fewer if there are not as many."""
    kinds = {}
    for fault in faults_of(anatomy):
        kinds.setdefault(fault.mistake.name, []).append(fault)
    names = [str(name) for name in rng.permutation(list(kinds))]
    found = []
    for name in names:
        order = [kinds[name][int(k)] for k in rng.permutation(len(kinds[name]))]
        shown = next(visible(anatomy, order, digits), None)
        if shown is not None:
            found.append(shown)
        if len(found) == count:
            break
    return found


def titles(suspicions):
    return [suspicion.fault.title for suspicion in suspicions]


def search(anatomy, faults, digits=4):
    """The search for what these faults make, as it is written down; None if they cannot be made."""
    draft = drafted(anatomy, *faults)
    return None if draft is None else Search(anatomy, written(anatomy, draft, digits))
