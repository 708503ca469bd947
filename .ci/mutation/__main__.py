"""Change one small thing in the code, run its tests, and see whether one of them notices.

Writes a line for each mutant into a file of results; what that has already is not run again. How
to read them, and what was found: docs/testing.md.
"""

import argparse
import ast
import json
import math
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import forks
import mutants as made

SOURCE = forks.ROOT / "src" / "chainrule"
ROOMS = ("ops", "autodiff", "nn/losses")
PARITY = "tests/ops/test_torch_parity.py"  # thousands of cases: only those of the op
LOSS_PARITY = "tests/nn/test_torch_losses.py"
CONFORMS = "tests/conformance/test_ops.py::test_op_conforms"

# Some ten times what a test takes.
SECONDS = {"tests/conformance/test_accuracy.py": 90}

# What is run at last, on a mutant that the tests of its room let live: the facts of other rooms
# that rest on it. Formulas are also measured in units of the last place.
FAR = {
    "ops": ["tests/conformance", "tests/laws/test_derivatives.py", "tests/rewrite",
            "tests/testing", "tests/eager/test_custom_gradient.py",
            "tests/eager/test_numpy_names.py", "tests/eager/test_per_example.py",
            "tests/eager/test_per_example_refusals.py"],
    "autodiff": ["tests/laws/test_derivatives.py", "tests/testing",
                 "tests/eager/test_per_example.py", "tests/eager/test_per_example_refusals.py",
                 "tests/eager/test_transforms.py"],
    "losses": [LOSS_PARITY, "tests/ops/test_costs.py"],
}  # fmt: skip
NEAR = {
    "ops": ["tests/laws/test_op_table.py", "tests/autodiff", "tests/ops"],
    "autodiff": ["tests/autodiff"],
    "losses": [
        "tests/nn/test_losses_refusals.py",
        "tests/nn/test_losses_arguments.py",
        "tests/nn/test_losses.py",
        "tests/nn/test_losses_training.py",
        "tests/nn/test_losses_values.py",
    ],
}


def seconds(test):
    return SECONDS.get(test.partition("::")[0], 20)


def declarations(path):
    """The ops that a file declares: name to the lines of its statements."""
    found, classes = {}, {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        lines = range(statement.lineno, statement.end_lineno + 1)
        for node in ast.walk(statement):
            match node:
                case ast.AnnAssign(target=ast.Name("name"), value=ast.Constant(str(name))):
                    classes[statement.name] = name
                    names = [name]
                case ast.Call(ast.Name("declare"), [ast.Name(kind), *_]):
                    names = [classes[kind]]
                case ast.Call(ast.Name(), [ast.Constant(str(name)), *_]):
                    names = [name]
                case ast.Tuple([ast.Constant(str(name)), *_]):  # one row of a table of ops
                    names = [name]
                case _:
                    names = []
            for name in names:
                found.setdefault(name, []).append(lines)
    return found


def loss_at(path, line):
    """The registered loss around a line, if there is one."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    registered = [one for one in body if isinstance(one, ast.ClassDef) and one.decorator_list]
    around = (one.name for one in registered if one.lineno <= line <= one.end_lineno)
    return next(around, None)


def stages(mutant, ops, killers, *, far):
    """Lists of tests: the op, what killed others of its file, its room, what rests on that."""
    path = mutant.path.relative_to(SOURCE)
    room = path.parent.name
    here = {op: lines for op, lines in declarations(mutant.path).items() if op in ops}
    nearest = [op for op, lines in here.items() if any(mutant.line in span for span in lines)]
    first = [f"{CONFORMS}[{op}]" for op in nearest or here]
    if room == "losses":
        loss = loss_at(mutant.path, mutant.line)
        beside = [[LOSS_PARITY, "-k", loss]] if loss else []
        return [*beside, NEAR[room], *([FAR[room]] if far else [])]
    beside = [PARITY, "-k", " or ".join(nearest or here)] if here else []
    own = f"tests/{room}/test_{path.stem}.py"
    second = [own] if (forks.ROOT / own).exists() else []
    often = [file for file, _ in killers[path.name].most_common(4)]
    second += [file for file in often if file not in (own, PARITY)]
    third = [
        *(test for test in NEAR[room] if test not in second),
        *(f"--ignore={test}" for test in (PARITY, *second) if test not in NEAR[room]),
    ]
    last = [test for test in FAR[room] if (forks.ROOT / test).exists()] if far else []
    return [stage for stage in (first, beside, second, third, last) if stage]


def op_names():
    code = "from chainrule.ops import OPS; print(*OPS)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def interval(rate, of):
    """Wilson's 95 % interval of a rate."""
    z = 1.959964
    middle = rate + z * z / (2 * of)
    half = z * math.sqrt(rate * (1 - rate) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def files(rooms):
    for room in rooms:
        path = SOURCE / room
        yield from sorted(path.glob("*.py")) if path.is_dir() else [path]


def remember_killer(row, killers):
    """Remember the file of the test that killed a mutant."""
    file = row["by"].partition("::")[0]
    if row["outcome"] == "killed" and file.endswith(".py") and "conformance" not in file:
        killers[row["mutant"].partition(":")[0].partition("/")[2]][file] += 1


def check_unchanged(chosen, ops, *, far):
    """A test that fails on the code as it is would kill every mutant."""
    lists = [stages(one, ops, defaultdict(Counter), far=far) for one in chosen]
    words = dict.fromkeys(word for stages in lists for stage in stages for word in stage)
    tests = [word for word in words if word.startswith("tests/")]
    for path in {one.path for one in chosen[:1]}:
        source = path.read_text(encoding="utf-8")
        outcome, test = forks.run(path, source, [tests], seconds)
        if outcome != "survived":
            sys.exit(f"The code as it is, unchanged, is {outcome} by {test}: mend that first.")


def report(rows):
    outcomes = Counter(row["outcome"] for row in rows)
    caught = outcomes["killed"] + outcomes["timeout"]
    of = caught + outcomes["survived"]
    if of:
        low, high = interval(caught / of, of)
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{counts}: {caught / of:.2%} caught (95 % interval {low:.2%} to {high:.2%})")


def options():
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    add = parser.add_argument
    add("rooms", nargs="*", default=ROOMS, metavar="ROOM", help="folder or file in src/chainrule")
    add("--sample", type=int, metavar="N", help="so many mutants, drawn uniformly; default: all")
    add("--seed", type=int, default=0, help="of that draw and of the order")
    add("--of-samples", action="store_true", help="mutants of what ops are tested on, instead")
    add("--near", action="store_true", help="only the tests of the mutant's own room")
    add("--again", action="store_true", help="run again what survived before")
    add("--minutes", type=float, default=math.inf, help="stop after so long")
    add("--results", type=Path, default=forks.ROOT / "build" / "mutation.jsonl", metavar="FILE")
    return parser.parse_args()


def main():
    given = options()
    os.chdir(forks.ROOT)
    sys.path.insert(0, str(SOURCE.parent))
    ops = op_names()
    forks.preload()
    every, left_out = [], 0
    for path in files(given.rooms):
        found, annotations = made.mutants(path)
        every += found
        left_out += annotations
    chosen = [one for one in every if one.of_sample == given.of_samples]
    print(
        f"{len(every)} mutants: {len(chosen)} of the "
        f"{'samples, the others of code' if given.of_samples else 'code, the others of samples'}; "
        f"{left_out} in annotations left out"
    )
    random.Random(given.seed).shuffle(chosen)
    chosen = chosen[: given.sample]
    given.results.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if given.results.exists():
        rows = map(json.loads, given.results.read_text(encoding="utf-8").splitlines())
        known = {row["mutant"]: row for row in rows}
    if given.again:
        due = [one for one in chosen if known.get(str(one), {}).get("outcome") == "survived"]
    else:
        due = [one for one in chosen if str(one) not in known]
    killers = defaultdict(Counter)
    for row in known.values():
        remember_killer(row, killers)
    check_unchanged(due, ops, far=not given.near)
    started = time.monotonic()
    with given.results.open("a", encoding="utf-8") as log:
        for one in due:
            if time.monotonic() - started > 60 * given.minutes:
                break
            begun = time.monotonic()
            outcome, test = "does not compile", ""
            if one.compiles:
                tests = stages(one, ops, killers, far=not given.near)
                outcome, test = forks.run(one.path, one.source, tests, seconds)
            row = {"mutant": str(one), "outcome": outcome, "by": test}
            row["seconds"] = round(time.monotonic() - begun, 2)
            row["before"], row["after"] = one.difference
            known[str(one)] = row
            remember_killer(row, killers)
            log.write(json.dumps(row, ensure_ascii=False) + "\n")
            log.flush()
            if outcome == "survived":
                print(f"{one}\n    - {row['before']}\n    + {row['after']}", flush=True)
    report([known[str(one)] for one in chosen if str(one) in known])


if __name__ == "__main__":
    main()
