"""A run is not gone on with as another: what differs is named."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ReplayError
from tests.train.nets import examples, regular
from tests.train.test_resume import hinge

X, Y = examples()
XV, YV = examples(count=20, classes=3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    cr.fit(
        regular(),
        X,
        Y,
        loss="CrossEntropyLoss",
        epochs=2,
        folder=folder,
        optimizer=optim.SGD(lr=0.1),
        validation=(XV, YV),
    )
    return folder


def changed(x, row, column, value):
    other = x.copy()
    other[row, column] = value
    return other


VALIDATION = {"validation": (XV, YV)}


@pytest.mark.parametrize(
    ("x", "y", "given", "message"),
    [
        (
            changed(X, 3, 1, 0.25),
            Y,
            VALIDATION,
            "The data is not that of the run: its numbers differ.",
        ),
        (X, Y[::-1], VALIDATION, "The data is not that of the run: its numbers differ."),
        (
            X[:40],
            Y[:40],
            VALIDATION,
            "The data is not that of the run: it had 50 examples, and has 40.",
        ),
        (
            X,
            np.eye(3)[Y],
            VALIDATION | {"validation": (XV, np.eye(3)[YV])},
            (
                "The data is not that of the run: it was x f32[4], target i64[], "
                "and is x f32[4], target f32[3]."
            ),
        ),
        (
            X,
            Y,
            VALIDATION | {"sample_weight": np.ones(50)},
            (
                "The data is not that of the run: it was x f32[4], target i64[], "
                "and is x f32[4], target i64[], sample_weight weights."
            ),
        ),
        (
            X,
            Y,
            VALIDATION | {"net": regular(hidden=7)},
            "The network is not that of the run: 0.weight was f32[6,4], and is f32[7,4].",
        ),
        (
            X,
            Y,
            VALIDATION | {"net": nn.Sequential(*regular(), nn.Tanh())},
            "The network is not that of the run: its layers differ.",
        ),
        (
            X,
            Y,
            VALIDATION | {"loss": hinge},
            "The loss is not that of the run: it was CrossEntropyLoss(), and is hinge.",
        ),
        (
            X,
            Y,
            VALIDATION | {"optimizer": optim.SGD(lr=0.2)},
            "The optimizer is not that of the run: it was SGD(lr=0.1, ",
        ),
        (
            X,
            Y,
            VALIDATION | {"schedule": optim.StepLR(step_size=3)},
            "The schedule is not that of the run: it was none, and is StepLR(",
        ),
        (
            X,
            Y,
            {},
            (
                "The run was validated on 20 examples of their own. Run {}. "
                "Pass them again: validation=(x, y)."
            ),
        ),
        (
            X,
            Y,
            {"validation": (XV + 1, YV)},
            "The validation data is not that of the run: its numbers differ.",
        ),
        (
            None,
            None,
            VALIDATION,
            "The run needs the 50 examples that it was trained on. Run {}. Pass them again: x, y.",
        ),
        (X, Y, VALIDATION | {"epochs": 1}, "The run has 2 epochs already; got epochs=1. Run {}."),
    ],
    ids=[
        "number",
        "order",
        "count",
        "target type",
        "weights",
        "width",
        "layers",
        "loss",
        "optimizer",
        "schedule",
        "no validation",
        "other validation",
        "no data",
        "fewer epochs",
    ],
)
def test_another_run_is_refused_and_the_difference_named(finished, x, y, given, message):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    y = np.eye(3)[y] if given.get("loss") is hinge else y
    with pytest.raises(ReplayError) as caught:
        cr.resume(finished, x, y, **given)
    assert message.format(finished) in str(caught.value)
    assert f"Run {finished}" in str(caught.value)
    assert before == {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
