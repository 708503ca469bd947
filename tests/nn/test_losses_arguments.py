"""What losses are made with: what is refused, with its whole message; what a file keeps."""

import json

import numpy as np
import pytest

from chainrule import nn
from chainrule.base.errors import ConfigurationError

NAN, INF = float("nan"), float("inf")

# name, arguments, the parts of the message
ARGUMENTS = {
    "a delta of 0": ("HuberLoss", {"delta": 0}, "HuberLoss takes delta > 0; got 0."),
    "a negative delta": ("HuberLoss", {"delta": -1.0}, "HuberLoss takes delta > 0; got -1.0."),
    "an infinite delta": ("HuberLoss", {"delta": INF}, "HuberLoss takes delta > 0; got inf."),
    "a delta in words": ("HuberLoss", {"delta": "1"}, "HuberLoss takes delta > 0; got '1'."),
    "a negative beta": ("SmoothL1Loss", {"beta": -1}, "SmoothL1Loss takes beta ≥ 0; got -1."),
    "too much smoothing": (
        "CrossEntropyLoss", {"label_smoothing": 1.5},
        "CrossEntropyLoss takes 0 ≤ label_smoothing ≤ 1; got 1.5.",
    ),
    "negative smoothing": (
        "CrossEntropyLoss", {"label_smoothing": -0.1},
        "CrossEntropyLoss takes 0 ≤ label_smoothing ≤ 1; got -0.1.",
    ),
    "a negative class weight": (
        "CrossEntropyLoss", {"weight": [1.0, -2.0]},
        "CrossEntropyLoss takes weight as one number ≥ 0 for each class, not all of them 0;",
        "got -2.",
    ),
    "class weights of 0": (
        "NLLLoss", {"weight": [0, 0]},
        "NLLLoss takes weight as one number ≥ 0 for each class, not all of them 0; got (0.0, 0.0).",
    ),
    "a class weight that is no number": (
        "NLLLoss", {"weight": [1.0, NAN]},
        "NLLLoss takes weight as one number ≥ 0 for each class, not all of them 0; got nan.",
    ),
    "an infinite class weight": (
        "MultiMarginLoss", {"weight": [1.0, INF]},
        "MultiMarginLoss takes weight as one number ≥ 0 for each class, not all of them 0;",
        "got inf.",
    ),
    "class weights in rows": (
        "CrossEntropyLoss", {"weight": [[1.0, 2.0]]},
        "CrossEntropyLoss takes weight as one number ≥ 0 for each class, not all of them 0;",
        "got shape [1,2].",
    ),
    "one class weight": (
        "CrossEntropyLoss", {"weight": 2.0},
        "CrossEntropyLoss takes weight as one number ≥ 0 for each class, not all of them 0;",
        "got shape [].",
    ),
    "no class weights": (
        "MulticlassFocalLoss", {"alpha": []},
        "MulticlassFocalLoss takes alpha as one number ≥ 0 for each class, not all of them 0;",
        "got shape [0].",
    ),
    "class weights by name": (
        "CrossEntropyLoss", {"weight": {"cat": 1.0}},
        "CrossEntropyLoss takes weight as one number ≥ 0 for each class, not all of them 0;",
        "got {'cat': 1.0}.",
    ),
    "ragged weights": (
        "BCELoss", {"weight": [[1.0], [1.0, 2.0]]},
        "BCELoss takes weight as one number ≥ 0 for each output, not all of them 0;",
        "got [[1.0], [1.0, 2.0]].",
    ),
    "no weights of outputs": (
        "BCELoss", {"weight": []},
        "BCELoss takes weight as one number ≥ 0 for each output, not all of them 0; got shape [0].",
    ),
    "a negative weight of ones": (
        "BCEWithLogitsLoss", {"pos_weight": -1},
        "BCEWithLogitsLoss takes pos_weight as one number ≥ 0 for each output, not all of them 0;",
        "got -1.",
    ),
    "smoothing what does not count": (
        "CrossEntropyLoss", {"weight": [1, 0, 2], "label_smoothing": 0.1},
        "CrossEntropyLoss takes weights above 0 beside label_smoothing; got 0 for class 1.",
        "Leave the class out with ignore_index, or give it a small weight.",
    ),
    "an ignored class by name": (
        "NLLLoss", {"ignore_index": "cat"},
        "NLLLoss takes ignore_index as a whole number or None; got 'cat'.",
    ),
    "a fraction of a class ignored": (
        "CrossEntropyLoss", {"ignore_index": 0.5},
        "CrossEntropyLoss takes ignore_index as a whole number or None; got 0.5.",
    ),
    "True for a class": (
        "MulticlassFocalLoss", {"ignore_index": True},
        "MulticlassFocalLoss takes ignore_index as a whole number or None; got True.",
    ),
    "more than all of alpha": (
        "FocalLoss", {"alpha": 2.0}, "FocalLoss takes 0 ≤ alpha ≤ 1; got 2.0.",
    ),
    "a negative gamma": ("FocalLoss", {"gamma": -1}, "FocalLoss takes gamma ≥ 0; got -1."),
    "a negative gamma of classes": (
        "MulticlassFocalLoss", {"gamma": -0.5}, "MulticlassFocalLoss takes gamma ≥ 0; got -0.5.",
    ),
    "a word for a truth": (
        "KLDivLoss", {"log_target": "yes"}, "KLDivLoss takes log_target=True or False; got 'yes'.",
    ),
    "1 for a truth": (
        "PoissonNLLLoss", {"log_input": 1}, "PoissonNLLLoss takes log_input=True or False; got 1.",
    ),
    "nothing to keep 0 away": (
        "PoissonNLLLoss", {"eps": 0}, "PoissonNLLLoss takes eps > 0; got 0.",
    ),
    "no least variance": ("GaussianNLLLoss", {"eps": 0}, "GaussianNLLLoss takes eps > 0; got 0."),
    "a margin of 0": ("HingeLoss", {"margin": 0}, "HingeLoss takes margin > 0; got 0."),
    "a margin of 0, squared": (
        "SquaredHingeLoss", {"margin": 0}, "SquaredHingeLoss takes margin > 0; got 0.",
    ),
    "a margin of distances of 0": (
        "HingeEmbeddingLoss", {"margin": -1}, "HingeEmbeddingLoss takes margin > 0; got -1.",
    ),
    "a cube": ("MultiMarginLoss", {"p": 3}, "MultiMarginLoss takes p = 1 or 2; got 3."),
    "a margin that is no number": (
        "MultiMarginLoss", {"margin": NAN}, "MultiMarginLoss takes margin; got nan.",
    ),
    "a margin beyond all cosines": (
        "CosineEmbeddingLoss", {"margin": 1.5},
        "CosineEmbeddingLoss takes -1 ≤ margin ≤ 1; got 1.5.",
    ),
    "an infinite margin": (
        "MarginRankingLoss", {"margin": INF}, "MarginRankingLoss takes margin; got inf.",
    ),
    "no margin between triplets": (
        "TripletMarginLoss", {"margin": 0.0}, "TripletMarginLoss takes margin > 0; got 0.0.",
    ),
    "what is no norm": ("TripletMarginLoss", {"p": 0.5}, "TripletMarginLoss takes p ≥ 1; got 0.5."),
    "a negative epsilon": (
        "TripletMarginLoss", {"eps": -1e-6}, "TripletMarginLoss takes eps ≥ 0; got -1e-06.",
    ),
    "a swap of something": (
        "TripletMarginLoss", {"swap": None},
        "TripletMarginLoss takes swap=True or False; got None.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_without_a_meaning_are_refused(case):
    name, arguments, *sentences = ARGUMENTS[case]
    with pytest.raises(ConfigurationError) as caught:
        nn.LOSSES.get(name)(**arguments)
    assert str(caught.value) == " ".join(sentences)


# --- what they are made with is plain -----------------------------------------------------------

MADE = {
    nn.CrossEntropyLoss: {"weight": np.array([1, 2], np.float32), "ignore_index": np.int64(-1)},
    nn.NLLLoss: {"weight": (0.5, 2)},
    nn.BCEWithLogitsLoss: {"weight": 2, "pos_weight": np.array([[1.0], [2.0]])},
    nn.BCELoss: {"weight": [1, 2]},
    nn.MultiLabelSoftMarginLoss: {"weight": [1, 2]},
    nn.MulticlassFocalLoss: {"alpha": [1, 2], "gamma": 1},
    nn.FocalLoss: {"alpha": None},
    nn.HuberLoss: {"delta": np.float32(0.5)},
    nn.MultiMarginLoss: {"p": 2, "weight": [1, 2]},
    nn.TripletMarginLoss: {"p": 1, "swap": True},
    nn.GaussianNLLLoss: {"full": True},
    nn.RMSELoss: {},
}


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_what_a_loss_was_made_with_survives_a_file(kind):
    made = kind(**MADE[kind])
    text = json.dumps(made.configuration())
    again = kind(**json.loads(text))
    assert repr(again) == repr(made)
    assert vars(again) == vars(made)


def test_class_weights_are_shown_as_numbers():
    made = nn.CrossEntropyLoss(weight=np.array([1, 2]), ignore_index=-100)
    assert repr(made) == "CrossEntropyLoss(weight=(1.0, 2.0), ignore_index=-100)"


def test_weights_may_be_torchs(torch):
    made = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))
    assert made.weight == (1.0, 2.0)
