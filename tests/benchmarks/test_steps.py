"""All contenders compute the same."""

from dataclasses import replace

import pytest

from benchmarks.comparisons import operations_of
from benchmarks.contenders import CONTENDERS
from benchmarks.contenders.by_hand import expected
from benchmarks.contenders.chainrule_step import step_of
from benchmarks.micro import Function, Product
from benchmarks.race import of_numpy
from benchmarks.tasks import task_named
from benchmarks.workloads import WORKLOADS


def small(workload):
    """The workload with narrow layers and few examples."""
    widths = tuple(min(width, 40) for width in workload.widths)
    batch, examples = min(workload.batch, 12), min(workload.examples, 60)
    return replace(workload, widths=widths, batch=batch, examples=examples)


def deviations(contender, task, right=None):
    """How far a contender is from the right values, over what is tolerated."""
    arrays = task.arrays()
    right = right or expected(task, arrays)
    runner = CONTENDERS[contender].open_task(task, arrays, 1)
    done, found = 0, []
    for steps, value in right.items():
        runner.run(steps - done)
        found.append(task.deviation(runner.value(), value) / task.tolerances[steps])
        done = steps
    return found


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
@pytest.mark.parametrize("contender", ["chainrule", "chainrule-numpy", "numpy"])
def test_losses_are_those_of_formulas_by_hand(contender, workload):
    assert max(deviations(contender, small(workload))) <= 1


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_torch_computes_the_same(torch, workload):
    assert max(deviations("torch", small(workload))) <= 1


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_a_skip_computes_the_same_on_both_backends(workload):
    skipping = small(workload).variants()[-1]
    assert skipping.skip is not None
    assert max(deviations("chainrule", skipping, of_numpy(skipping, skipping.arrays()))) <= 1


ODD = [v for v in WORKLOADS["w4"].variants() if {511, 513} & {*v.widths}]


@pytest.mark.parametrize("variant", ODD, ids=lambda w: w.name)
@pytest.mark.parametrize("contender", ["chainrule", "numpy"])
def test_what_is_right_is_right_for_odd_widths_too(contender, variant):
    assert max(deviations(contender, variant)) <= 1


@pytest.mark.parametrize(
    "right", [*(small(WORKLOADS[name]) for name in ("w3", "w4", "w9")), *ODD], ids=lambda w: w.name
)
@pytest.mark.parametrize(
    "mistake",
    [{"trains_biases": False}, {"lr": 1.01}, {"shuffled": False}],
    ids=["biases forgotten", "rate 1 % off", "other order"],
)
def test_a_mistake_is_more_than_is_tolerated(right, mistake):
    wrong = replace(right, **{**mistake, **({"lr": 1.01 * right.lr} if "lr" in mistake else {})})
    assert max(deviations("numpy", wrong, expected(right, right.arrays()))) > 1


@pytest.mark.parametrize("kind", ["nn", "tn", "nt"])
@pytest.mark.parametrize("contender", ["chainrule", "numpy"])
def test_products_are_those_of_float64(contender, kind):
    assert deviations(contender, Product("p", 1, 5, 7, 33, kind), {1: 0.0})[0] <= 1


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"])
def test_functions_are_those_of_float64(name):
    assert deviations("chainrule", Function(name, 1, (7, 33)), {1: 0.0})[0] <= 1


def test_each_dimension_is_varied_by_one():
    variants = {variant.name for variant in WORKLOADS["w3"].variants()}
    assert {"w3/(785, 30, 10)", "w3/(784, 29, 10)", "w3/batch=11", "w3/skip 0→2"} <= variants
    assert len(variants) == 2 * 4 + 1


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_variants_have_data_of_their_shapes(workload):
    for variant in small(workload).variants()[:-1]:
        assert max(deviations("chainrule-numpy", variant)) <= 1, variant.name


def test_operations_are_two_for_each_term_of_a_product():
    step = step_of(Product("p", 1, 5, 7, 33, "nt"), Product("p", 1, 5, 7, 33, "nt").arrays())
    assert operations_of(step.graph) == 2 * 5 * 7 * 33


def test_a_variant_is_found_by_its_name():
    for variant in WORKLOADS["w4"].variants():
        assert task_named(variant.name) == variant
    assert not task_named("w4/unchecked").checks_finite
    assert task_named("w4/explained").explains


@pytest.mark.parametrize("workload", ["w1", "w4"])
def test_steps_that_are_captured_are_those_that_train(workload):
    assert max(deviations("chainrule-numpy", small(WORKLOADS[workload]).explained())) <= 1
