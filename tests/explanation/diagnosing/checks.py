"""What must be true of any set-up of the doctor's exams, whatever the doctor says of it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator

import numpy as np

from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Case, Setup

# An honest limit for one core would be 2 s; a test machine is shared, and slower at times.
SECONDS = 10


def trained(case: Case, **how: bool) -> tuple[Setup, Exception | None]:
    """A set-up after training, as far as `fit` goes, with the error that ended it."""
    setup = case.make(**how)
    try:
        setup.fit()
    except Exception as error:  # the check says which it may be
        return setup, error
    return setup, None


def check_it_is_explained_in_a_sentence(case: Case) -> None:
    first, *_ = inspect.cleandoc(case.make.__doc__ or "").splitlines()
    assert first.endswith((".", "?"))
    assert set(case.looked_at) <= {BEFORE, AFTER}
    assert case.looked_at
    assert case.finding not in case.also


def check_it_does_what_is_written(case: Case) -> None:
    """The broken fail to learn, or are refused; the healthy learn."""
    started = time.process_time()
    setup, error = trained(case)
    assert time.process_time() - started < SECONDS
    if case.refused is not None:
        assert type(error) is case.refused
        return
    assert error is None
    reached = case.score(setup) >= case.goal
    assert reached is case.learns, f"{case.score(setup)}, and the goal is {case.goal}"


def check_it_learns_without_the_fault(case: Case) -> None:
    setup, error = trained(case, mended=True)
    assert error is None
    assert case.score(setup) >= case.goal


def check_it_is_built_the_same_each_time(case: Case) -> None:
    one, other = case.make(), case.make()
    dtype = one.more.get("dtype", "float32")
    for setup in (one, other):
        setup.net.astype(dtype)
        setup.net.initialize(seed=0)
    states = one.net.state_dict(), other.net.state_dict()
    assert list(states[0]) == list(states[1])
    for path, values in states[0].items():
        np.testing.assert_array_equal(values, states[1][path])
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    assert not np.shares_memory(one.x, other.x)


def check_training_repeats_itself(case: Case) -> None:
    (one, _), (other, _) = trained(case), trained(case)
    for path, values in one.net.state_dict().items():
        np.testing.assert_array_equal(values, other.net.state_dict()[path])


def plain_facts(setup: Setup) -> Iterator[str]:
    """What is seen of a set-up's rows and columns without knowing what they are for."""
    x = np.asarray(setup.x)
    if x.dtype.kind != "f" or not np.isfinite(x).all():
        return
    x = x.reshape(len(x), -1)
    spread = x.max(axis=0) - x.min(axis=0)
    if (spread == 0).any():
        yield "constant-features"
    live = x[:, spread > 0].astype(np.float64)
    if len(live) > live.shape[1] > 1:
        alike = abs(np.corrcoef(live.T)) - np.eye(live.shape[1])
        if alike.max() > 1 - 1e-6:
            yield "duplicate-features"
    if setup.validation is not None:
        rows = {row.tobytes() for row in x}
        held_out = np.asarray(setup.validation[0]).astype(x.dtype).reshape(-1, x.shape[1])
        if any(row.tobytes() in rows for row in held_out):
            yield "leaking-split"


def check_plain_facts_are_named(case: Case) -> None:
    named = {case.finding, *case.also}
    assert set(plain_facts(case.make())) <= named
    if case.can_be_mended:
        assert set(plain_facts(case.make(mended=True))) <= named


def check_overfitting_shows(case: Case) -> None:
    """Validation got worse, and is far from training."""
    history = case.make().fit().history
    assert history["val_loss"][-1] > min(history["val_loss"])
    assert history["val_loss"][-1] > 4 * history["loss"][-1]
