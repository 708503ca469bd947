"""A function that is right for another network is told for which."""

import pytest

import chainrule as cr
from tests.explanation.checking.functions import learners_styles
from tests.explanation.checking.functions.learners_common import of_cross_entropy, said


def test_what_is_right_for_another_loss_is_told_which():
    found = cr.check_function(of_cross_entropy)
    assert not found
    assert "error-of-cross-entropy" in found.mistakes
    told = 'check_function(of_cross_entropy, loss="BCELoss", activation=nn.Sigmoid, output=nn.Sig'
    assert told in said(found)


@pytest.mark.slow
def test_what_is_right_for_other_activations_is_told_which():
    found = cr.check_function(learners_styles.with_a_list_of_layers)
    assert not found
    assert 'loss="MSELoss", activation=nn.Tanh, output=nn.Tanh)' in said(found)
