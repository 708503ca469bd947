"""Files of answers: what spreadsheets and people make of them is read, and nothing is run."""

import re

import pytest

import chainrule as cr
from chainrule.explanation.exercises.answers import read_text
from tests.explanation.exercises.oracle import answers


@pytest.fixture(scope="module")
def made():
    return cr.exercise(seed=7, ask=["delta2", "dW2"])


@pytest.fixture
def file(made, tmp_path):
    """Write a file of answers, changed by a function of its text; grade it."""

    def grade(change=lambda text: text, name="ada.csv", encode=None):
        path = tmp_path / name
        made.save_answers(tmp_path / "template.csv")
        text = (tmp_path / "template.csv").read_text(encoding="utf-8")
        for label, number in answers(made, 4).items():
            quoted = f'"{label}"' if "," in label else label
            text = text.replace(f"{quoted},\n", f"{quoted},{number}\n")
        text = change(text)
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encode or "utf-8"))
        (only,) = cr.grade(path)
        return only

    return grade


def test_a_template_that_is_filled_in_is_graded(file):
    grade = file()
    assert (grade.learner, grade.points, grade.of, grade.problems) == ("ada", 4, 4, ())


def test_an_empty_template_is_worth_nothing(made, tmp_path):
    made.save_answers(tmp_path / "empty.csv")
    (grade,) = cr.grade(tmp_path / "empty.csv")
    assert (grade.points, grade.of, grade.problems, grade.mistakes) == (0, 4, (), ())


def in_reverse(text):
    head, rows = text.split("value,answer\n")
    return head + "value,answer\n" + "\n".join(reversed(rows.splitlines()))


HANDS = {
    "with a name": lambda text: text.replace("learner,", "learner,Ada Lovelace"),
    "with empty lines": lambda text: "\n\n" + text.replace("\n", "\n\n"),
    "of Windows": lambda text: text.replace("\n", "\r\n"),
    "with empty columns": lambda text: text.replace("\n", ",,,\n"),
    "without quotes": lambda text: text.replace('"', ""),
    "capitals": lambda text: text.replace("value,answer", "Value , Answer"),
    "other headings": lambda text: text.replace("value,answer", "name,result"),
    "without headings": lambda text: text.replace("value,answer\n", ""),
    "in reverse": in_reverse,
    "with a mark": lambda text: "\ufeff" + text,
    "in Greek": lambda text: text.replace("delta2[0]", "  δ2[0] "),
}


@pytest.mark.parametrize("change", HANDS.values(), ids=HANDS)
def test_a_file_may_have_been_through_many_hands(file, change):
    grade = file(change)
    assert (grade.points, grade.problems) == (4, ())


def as_spreadsheet(text, separator, decimal):
    """What a spreadsheet writes that separates by something else."""
    rows = []
    for handed_row in text.splitlines():
        if handed_row.startswith("exercise"):
            rows.append(handed_row.replace(",", separator, 1))
            continue
        label, _, number = handed_row.rpartition(",")
        label = label if separator == "," else label.strip('"')
        rows.append(f"{label}{separator}{number.replace('.', decimal)}")
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("separator", "decimal"), [(";", ","), ("\t", ","), (";", "."), (",", ",")]
)
def test_separators_and_decimal_commas(file, separator, decimal):
    grade = file(lambda text: as_spreadsheet(text, separator, decimal))
    assert (grade.points, grade.problems) == (4, ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_encodings(file, encoding):
    grade = file(lambda text: text.replace("learner,", "learner,José"), encode=encoding)
    assert (grade.learner, grade.points) == ("José", 4)


def test_a_changed_line_is_noticed(file):
    grade = file(lambda text: text.replace("seed=7", "seed=8"))
    assert grade.points < 4
    (problem,) = grade.problems
    assert problem.startswith("The line that describes the exercise was changed: its id is")
    easier = file(lambda text: text.replace("ask=delta2+dW2", "ask=delta2"))
    assert easier.of == 1
    assert "was changed" in easier.problems[0]
    lost = file(lambda text: text.replace(text[text.index(" id=") : text.index("\nlearner")], ""))
    assert lost.points == 4
    assert "has lost its id" in lost.problems[0]


BROKEN = {
    "no line": (lambda text: text[text.index("learner") :], "It does not say which exercise it is"),
    "a huge network": (
        lambda text: text.replace("2-3-1", "9999-9999-9"),
        "done by hand: it has 1 to 16 units",
    ),
    "no layer": (lambda text: text.replace("Sigmoid+", "eval+"), "No layer is named"),
    "nothing to ask": (
        lambda text: text.replace("ask=delta2", "ask=nothing"),
        "No value to ask for is named",
    ),
    "a huge seed": (
        lambda text: text.replace("seed=7", f"seed={'9' * 5000}"),
        "is no line that describes",
    ),
    "many examples": (
        lambda text: text.replace("2-3-1 ", "2-3-1 examples=99999999 "),
        "is no line",
    ),
    "empty": (lambda text: "", "is empty"),
    "blank": (lambda text: " \n \n", "is empty"),
    "a picture": (lambda text: b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is not text"),
    "a spreadsheet": (
        lambda text: b"PK\x03\x04rest of an xlsx",
        "is a spreadsheet or an archive, not text",
    ),
    "a pickle": (lambda text: b"\x80\x04\x95cbuiltins\neval\n\x00.", "is not text"),
    "huge": (lambda text: "x" * (5 * 2**20), "bytes; a file of answers has at most"),
    "many rows": (lambda text: "a,b\n" * 70_000, "is no CSV: it has 70,000 rows"),
    "no table": (lambda text: "hello\n", "does not say which exercise"),
    "a huge cell": (
        lambda text: text + f'dW2,"{"9" * 200_000}"',
        "is no CSV: field larger",
    ),
}


@pytest.mark.parametrize(("change", "told"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_graded_says_why(file, change, told):
    grade = file(change)
    assert grade.exercise is None
    assert told in " ".join(grade.problems)
    assert "not graded" in grade.text()


def test_formulas_of_a_spreadsheet_are_text(file):
    grade = file(lambda text: re.sub(r"delta2\[0\],.*", 'delta2[0],"=2*3"', text))
    assert grade.points == 3
    assert grade.problems == ('delta2: "=2*3" is no number',)


def test_a_number_that_is_there_twice_counts_as_it_stands_last(file):
    grade = file(lambda text: text + "delta2[0],5\n")
    assert grade.points == 3
    assert "delta2[0] is there twice; the last one counts" in grade.problems


def test_names_do_not_steer_a_terminal(file):
    grade = file(lambda text: text.replace("learner,", "learner,\x1b[31mEve") + "\x1b[2J,1\n")
    assert "\x1b" not in grade.text()
    assert "\x1b" not in str(cr.explanation.Grades([grade]).to_json())


def test_a_class_may_have_a_row_for_each_number(made):
    code = f'"{made.code}"'
    text = f"learner,exercise,value,answer\nAda,{code},delta2[0],-0.09392\nBob,{code},delta2[0],1\n"
    handed = read_text(text)
    assert [each.learner for each in handed] == ["Ada", "Bob"]
    assert handed[1].answers == (("delta2[0]", "1"),)


def test_a_folder_is_graded_file_by_file(made, tmp_path):
    for name in ("zoe", "ada"):
        made.save_answers(tmp_path / f"{name}.csv")
    (tmp_path / "broken.csv").write_bytes(b"\x00\x01")
    (tmp_path / "essay.docx").write_bytes(b"PK\x03\x04")
    (tmp_path / ".hidden").write_text("x")
    grades = cr.grade(tmp_path)
    assert [grade.learner for grade in grades] == ["ada", "broken", "zoe", "essay"]
    assert [grade.exercise is not None for grade in grades] == [True, False, True, False]
    assert "essay.docx is no CSV file, and was left out" in grades.text()


def test_a_folder_without_answers_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no file of answers"):
        cr.grade(tmp_path)
