"""`chainrule inspect`: what a step is compiled into, stage by stage."""

import pytest

pytest.importorskip("llvmlite", reason="the native backend needs llvmlite")

from chainrule.backends.native.inspection import STAGES
from chainrule.backends.native.instruction_sets import INSTRUCTION_SETS

BEGINS = {
    "graph": "graph train_step(0.weight: f32[64,4], ",
    "lean": "graph train_step(0.weight: f32[64,4], ",
    "kernels": "kernel ",
    "plan": "arena of ",
    "ir": 'target triple = "x86_64-unknown-linux-gnu"',
    "asm": "        .file",
}


def test_help_lists_the_stages_and_the_instruction_sets(chainrule):
    text = " ".join(chainrule("inspect", "--help").out.replace("│", " ").split())
    assert f"One of {', '.join(STAGES)};" in text
    assert f"Of which processor: {', '.join(INSTRUCTION_SETS)};" in text


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_shown(chainrule, stage):
    done = chainrule("inspect", "iris", "--stage", stage, "--instruction-set", "avx2")
    assert done.status == 0, done.err
    assert done.out.startswith(BEGINS[stage])


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_every_instruction_set_has_machine_code(chainrule, name):
    done = chainrule("inspect", "iris", "--stage", "asm", "--instruction-set", name)
    assert done.status == 0, done.err
    assert "\ngather.x:" in done.out


def test_one_kernel_is_shown_at_each_stage(chainrule):
    def shown(stage):
        words = ("--kernel", "gather.target", "--instruction-set", "sse2", "--stage", stage)
        return chainrule("inspect", "iris", *words).out

    assert shown("kernels").startswith("kernel gather.target(")
    assert "kernel gather.x(" not in shown("kernels")
    assert [line.split()[1] for line in shown("plan").splitlines()[1:]] == ["v6"]
    assert shown("ir").startswith('define void @"gather.target"(')
    assert shown("ir").count("define") == 1
    assert shown("asm").startswith("gather.target:")
    assert "gather.x:" not in shown("asm")


def test_an_experiment_file_and_changes_of_it(chainrule, folder):
    (folder / "small.toml").write_text(
        'optimizer.name = "Adam"\ndata.name = "iris"\nnetwork.hidden = [3]\n', encoding="utf-8"
    )
    words = ("inspect", "small.toml", "--stage", "graph", "--set", "training.batch_size=7")
    assert "x: f32[B=7,4]" in chainrule(*words).out


def test_the_document_holds_the_text_and_the_kernels(chainrule):
    words = ("inspect", "iris", "--instruction-set", "aarch64")
    document = chainrule(*words, "--json").document
    assert document["text"] == chainrule(*words).out.rstrip("\n")
    assert document["target"]["triple"] == "aarch64-unknown-linux-gnu"
    assert all(f"kernel {name}(" in document["text"] for name in document["kernels"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--stage", "kernls"],
            (
                'No stage is named "kernls". Did you mean "kernels"? '
                "There are: graph, lean, kernels, plan, ir, asm."
            ),
        ),
        (
            ["--instruction-set", "sse"],
            (
                'No instruction set is named "sse". Did you mean "sse2"? '
                "There are: host, avx512, avx2, sse2, aarch64."
            ),
        ),
        (
            ["--stage", "graph", "--kernel", "gather.x"],
            (
                'A graph is not divided into kernels yet: "gather.x" is none of it. '
                "Look for it in the stage kernels."
            ),
        ),
    ],
)
def test_what_is_not_there_is_named(chainrule, words, message):
    done = chainrule("inspect", "iris", *words)
    assert (done.status, done.err) == (2, f"chainrule: {message}\n")


def test_a_kernel_that_is_not_there_is_named_with_the_nearest(chainrule):
    done = chainrule("inspect", "iris", "--kernel", "gather_x")
    assert done.status == 2
    assert 'No kernel is named "gather_x". Did you mean "gather.x"? There are: ' in done.err
