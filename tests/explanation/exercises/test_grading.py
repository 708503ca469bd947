"""Grading: right numbers get all points, a wrong one loses its own, and mistakes have names."""

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import ConfigurationError, DataNotFoundError
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import MISTAKES, faults_of
from chainrule.explanation.exercises.credit import FOLLOWS, RIGHT, WRONG
from tests.explanation.exercises.oracle import answers, by_hand
from tests.explanation.exercises.test_exercises import KINDS
from tests.sampling import dealt


@pytest.fixture(scope="module")
def made():
    return cr.exercise(seed=7)


def verdicts(grade):
    return {
        task.name: "+".join(dict.fromkeys(m.verdict for m in task.marks)) for task in grade.tasks
    }


@pytest.mark.parametrize(("kind", "digits"), dealt(KINDS, [3, 4, 5, 9]), ids=str)
def test_right_answers_get_all_points(kind, digits):
    made = cr.exercise(**kind)
    grade = made.grade(answers(made, digits))
    assert (grade.points, grade.of, grade.problems) == (made.points, made.points, ())
    assert not grade.mistakes


@pytest.mark.parametrize("seed", range(6))
def test_who_rounds_at_every_step_loses_nothing(seed):
    made = cr.exercise(seed=seed)
    rounded = _rounded_on_the_way(made, 4)
    grade = made.grade(answers(made, 4, rounded))
    assert (grade.points, grade.mistakes) == (made.points, ())


def _rounded_on_the_way(made, digits, **instead):
    """2-3-1 with sigmoids, one number after the other, each as it was written down."""
    state = made.given.state
    w1, b1, w2, b2 = (state[n] for n in ("0.weight", "0.bias", "2.weight", "2.bias"))
    x, y = made.given.x[0], made.given.y[0]
    r = np.vectorize(lambda v: float(f"{v:.{digits}g}"))
    found = {}

    def put(name, value):
        found[name] = instead.get(name, lambda v: v)(r(value))
        return found[name]

    def s(z):
        return 1 / (1 + np.exp(-z))

    a1 = put("a1", s(put("z1", w1 @ x + b1)))
    a2 = put("a2", s(put("z2", w2 @ a1 + b2)))
    put("C", 0.5 * float(((a2 - y) ** 2).sum()))
    delta2 = put("delta2", (a2 - y) * a2 * (1 - a2))
    put("dW2", np.outer(delta2, a1))
    put("db2", delta2)
    delta1 = put("delta1", (w2.T @ delta2) * a1 * (1 - a1))
    put("dW1", np.outer(delta1, x))
    put("db1", delta1)
    return {
        name: v[None] if name[0] in "zae" or name.startswith("delta") else np.asarray(v)
        for name, v in found.items()
    }


@pytest.mark.parametrize("name", ["z1", "a1", "z2", "a2", "delta2", "delta1"])
def test_one_wrong_number_loses_its_own_point_alone(made, name):
    def slip(value):
        value = value.copy()
        value.flat[0] *= 1.5
        return value

    grade = made.grade(answers(made, 4, _rounded_on_the_way(made, 4, **{name: slip})))
    assert grade.points == made.points - 1
    wrong = [mark for task in grade.tasks for mark in task.marks if mark.verdict == WRONG]
    assert [mark.label for mark in wrong] == [f"{name}[0]"]
    assert FOLLOWS in {mark.verdict for task in grade.tasks for mark in task.marks}


def test_what_comes_before_a_wrong_number_is_right(made):
    wrong = _rounded_on_the_way(made, 4, delta2=lambda v: -v)
    found = verdicts(made.grade(answers(made, 4, wrong)))
    assert found == {
        **dict.fromkeys(("z1", "a1", "z2", "a2", "C"), RIGHT),
        "delta2": WRONG,
        **dict.fromkeys(("dW2", "db2", "delta1", "dW1", "db1"), FOLLOWS),
    }


def test_zeros_do_not_follow(made):
    zeros = {name: np.zeros_like(v) for name, v in by_hand(made).items()}
    right = by_hand(made)
    mine = {**right, **{n: zeros[n] for n in ("delta2", "dW2", "db2", "delta1", "dW1", "db1")}}
    grade = made.grade(answers(made, 4, mine))
    assert grade.points == 9


# A mistake is planted at every place of the step, and what comes of it is handed in.
STEPS = [
    ("2-3-1", {"learning_rate": 0.5}),
    ("2-3-2", {"examples": 3, "loss": "MSELoss", "learning_rate": 0.5}),
    ("2-3-2", {"activation": "ReLU", "output": "none", "examples": 2}),
    ("2-3-3", {"loss": "CrossEntropyLoss"}),
]
FIRST, *OTHERS = STEPS


@pytest.mark.parametrize(
    ("network", "kind"),
    [FIRST, *(pytest.param(*each, marks=pytest.mark.slow) for each in OTHERS)],
    ids=str,
)
def test_every_mistake_of_the_registry_is_named(network, kind):
    made = cr.exercise(network, seed=3, **kind)
    anatomy, planted = made.anatomy, set()
    for fault in faults_of(anatomy):
        draft = Draft(anatomy)
        fault.change(draft)
        values = draft.values([anatomy.names[task.value] for task in made.tasks])
        mine = {
            task.label(index): f"{values[anatomy.names[task.value]][index]:.6g}"
            for task in made.tasks
            for index in task.indices
        }
        grade = made.grade(mine)
        if grade.points == grade.of and all(
            mark.verdict == RIGHT for task in grade.tasks for mark in task.marks
        ):
            continue  # it changes nothing here
        names = {name for task in grade.tasks for name in task.names}
        assert fault.mistake.name in names, fault.title
        planted.add(fault.mistake.name)
    assert len(planted) > 15


def test_the_mistakes_that_are_planted_are_those_of_the_registry():
    planted = set()
    for network, kind in STEPS:
        made = cr.exercise(network, seed=3, **kind)
        planted |= {fault.mistake.name for fault in faults_of(made.anatomy)}
    assert len(planted) > len(MISTAKES) / 2  # the others need a batch norm, a dropout, an Adam


def test_two_mistakes_and_a_slip_have_their_own_names(made):
    wrong = _rounded_on_the_way(
        made, 4, delta2=lambda v: v * 2, dW1=lambda v: -v, db1=lambda v: v + np.array([0.01, 0, 0])
    )
    grade = made.grade(answers(made, 4, wrong))
    found = {task.name: task for task in grade.tasks}
    assert found["delta2"].mistakes == ("a factor ½ is missing",)
    assert "sign" in " ".join(found["dW1"].mistakes)
    assert found["dW2"].points == 3
    assert found["db1"].points == 2
    assert found["db1"].mistakes == ("no mistake that is known explains it",)


def test_layers_are_called_as_on_the_sheet(made):
    wrong = _rounded_on_the_way(made, 4)
    a2, y = wrong["a2"], made.given.y
    wrong["delta2"] = a2 - y
    grade = made.grade(answers(made, 4, wrong))
    told = [m for task in grade.tasks for m in task.mistakes if task.name == "delta2"]
    assert "σ′ is missing in layer 2 (sigmoid)" in told


def test_an_error_of_each_examples_own_cost_is_right():
    made = cr.exercise("2-2-1", seed=1, examples=4)
    mine = by_hand(made)
    for name in ("delta1", "delta2"):
        mine[name] = 4 * mine[name]
    grade = made.grade(answers(made, 4, mine))
    assert (grade.points, grade.mistakes) == (made.points, ())


def test_too_few_digits_are_worth_half(made):
    mine = answers(made, 4)
    mine["delta2[0]"] = "-0.094"
    mine["C"] = "0.1"  # of one digit almost anything is right
    grade = made.grade(mine)
    assert grade.points == made.points - 1.5
    assert "delta2  ½ of 1  right, with too few digits" in grade.text()


def test_numbers_and_names_are_read_as_people_write_them(made):
    truth = by_hand(made)
    mine = {
        "δ2": f"{truth['delta2'][0, 0]:.5f}".replace(".", ","),
        "W2.grad": truth["dW2"],
        "dC/db2": float(truth["db2"][0]),
        "delta1[1]": f"{truth['delta1'][0, 1] * 1000:.4g}e-3",
        "z1": " ; ".join(f"{v:.4g}" for v in truth["z1"][0]),
        "a1": list(truth["a1"][0]),
    }
    grade = made.grade(mine)
    found = {task.name: task.points for task in grade.tasks if task.points}
    assert found == {"delta2": 1, "dW2": 3, "db2": 1, "delta1": 1, "z1": 3, "a1": 3}
    assert grade.problems == ()


def test_what_cannot_be_read_is_said_and_the_rest_is_graded(made):
    mine = answers(made, 4)
    mine |= {"z2[0]": "=1+2", "foo": "1", "dW2": "1 2", "a1[7]": "0.5", "W1": "?", "x": 0.6}
    mine["a2[0]"] = "__import__('os').system('true')"
    grade = made.grade(mine)
    assert grade.points == made.points - 2
    told = "\n".join(grade.problems)
    for part in ("foo: ", '"=1+2" is no number', "3 numbers are asked for", "a1[7]: ", "a2: "):
        assert part in told


def test_only_mappings_and_paths_are_graded(made):
    with pytest.raises(ConfigurationError, match="Answers are a dict"):
        made.grade([1, 2])
    with pytest.raises(ConfigurationError, match="grade takes the path"):
        cr.grade(3)
    with pytest.raises(DataNotFoundError, match="There is no file"):
        cr.grade("nowhere.csv")


@pytest.fixture(scope="module")
def class_file(tmp_path_factory):
    """Three learners: all right, one mistake, half empty."""
    sheets = [cr.exercise(seed=seed) for seed in (1, 2, 3)]
    rows = [answers(made, 4) for made in sheets]
    delta2 = (by_hand(sheets[1])["a2"] - sheets[1].given.y)[0, 0]
    rows[1] = answers(
        sheets[1], 4, _rounded_on_the_way(sheets[1], 6, delta2=lambda _: np.array([delta2]))
    )
    rows[2] = {k: v if k[0] in "za" else "" for k, v in rows[2].items()}
    heads = list(rows[0])
    lines = [",".join(["learner", "exercise", *(f'"{head}"' for head in heads)])]
    for name, made, row in zip(("Ada", "Bob", "=Eve"), sheets, rows, strict=True):
        lines.append(",".join([name, made.code, *(row[head] for head in heads)]))
    path = tmp_path_factory.mktemp("class") / "class.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_class_is_a_table(class_file, golden):
    grades = cr.grade(class_file)
    golden("explanation/exercise-class", grades.text() + "\n")
    golden("explanation/exercise-class-csv", grades.to_csv())
    for width in (40, 60, 100):
        assert max(map(len, grades.text(width).splitlines())) <= width


def test_a_class_as_csv_holds_no_formula(class_file):
    assert "\n'=Eve," in cr.grade(class_file).to_csv()


def test_grades_are_json(class_file):
    found = json.loads(json.dumps(cr.grade(class_file).to_json(), allow_nan=False))["grades"]
    assert [grade["points"] for grade in found] == [26, 25, 8]
    delta2 = next(task for task in found[1]["tasks"] if task["value"] == "delta2")
    assert "missing-derivative" in delta2["names"]


def test_one_learner_is_shown_number_by_number(made, golden):
    wrong = _rounded_on_the_way(made, 4, delta1=lambda v: -v)
    mine = answers(made, 4, wrong) | {"C": "", "dW1[0,1]": "0.5", "what": "1"}
    golden("explanation/exercise-grade", made.grade(mine, "Ada").text() + "\n")
