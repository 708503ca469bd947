"""Ctrl-C while native code runs is heard within a step, and the state is that before the step."""

import signal
import threading
import time

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.target import host
from chainrule.backends.native.waiting import call_and_listen, is_worth_it
from chainrule.graph import DType, TensorType
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")


@pytest.fixture
def interrupt_after():
    """Ctrl-C after some seconds, once or again and again."""

    def raise_it(*arguments):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, raise_it)
    yield lambda seconds, again=0.0: signal.setitimer(signal.ITIMER_REAL, seconds, again)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def large_step(threads=1):
    x, y = np.zeros((128, 784), np.float32), np.zeros((128, 300), np.float32)
    net = nn.Sequential(nn.Linear(784, 500), nn.Tanh(), nn.Linear(500, 300)).initialize(0)
    recipe = Recipe(net, nn.MSELoss(), optim.SGD(lr=0.1, momentum=0.9))
    types = [TensorType(a.shape, DType.of(a.dtype)) for a in (x, y)]
    step = build_step(recipe, types[:1], types[1])
    state = {**step.captured, **initial_state(recipe, 0, accumulate=False)}
    rng = np.random.default_rng(0)
    data = {"x": rng.random((300, 784), np.float32), "target": rng.random((300, 300), np.float32)}
    program = NativeProgram(step.graph, step.wiring, Compiler(host(), None, threads))
    assert program.compiled.threads == threads
    return program, state, data


class Armed:
    """A function that sets a clock before its first call."""

    def __init__(self, function, arm):
        self.function = function
        self.arm = arm

    def __call__(self, *arguments):
        arm, self.arm = self.arm, lambda: None
        arm()
        return self.function(*arguments)


STEPS = 200
ROWS = np.random.default_rng(1).integers(0, 300, (STEPS, 128))
RATES = {"lr": np.linspace(0.1, 0.01, STEPS)}


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_step_that_is_interrupted_is_not_taken_and_the_state_is_whole(threads, interrupt_after):
    program, state, data = large_step(threads)
    assert program.compiled.stop is not None
    seen = set()
    for delay in (0.003, 0.011, 0.024, 0.05):
        session = program.open(state, data)
        program.step_seconds = None  # nobody knows how long it takes
        program.advance = Armed(program.advance, lambda delay=delay: interrupt_after(delay))
        done = session.advance(ROWS, RATES)
        assert done.interrupted
        assert done.steps < STEPS
        assert len(done.outputs["loss"]) == done.steps
        seen.add(done.steps)
        program.advance = program.advance.function
        expected = program.open(state, data)
        if done.steps:
            fed = {name: values[: done.steps] for name, values in RATES.items()}
            whole = expected.advance(ROWS[: done.steps], fed)
            assert whole.outputs["loss"].tobytes() == done.outputs["loss"].tobytes()
        for name, array in expected.state().items():
            assert array.tobytes() == session.state()[name].tobytes(), name
        session.advance(ROWS[:1], {name: values[:1] for name, values in RATES.items()})  # goes on
    assert len(seen) > 1


def test_a_call_that_nobody_interrupts_says_so():
    seen = []
    assert not call_and_listen(lambda: seen.append(threading.current_thread()), seen.clear)
    assert len(seen) == 1
    assert seen[0] is not threading.main_thread()


def test_what_a_call_raises_is_raised_where_it_was_asked_for():
    with pytest.raises(ZeroDivisionError):
        call_and_listen(lambda: 1 // 0, lambda: None)


def test_it_is_waited_for_however_often_ctrl_c_comes(interrupt_after):
    over, stops = [], []

    def call():
        interrupt_after(0.02, 0.05)
        time.sleep(0.3)
        interrupt_after(0)
        time.sleep(0.05)
        over.append(True)

    interrupted = call_and_listen(call, lambda: stops.append(True))
    assert interrupted
    assert over == [True]  # native code still used the memory
    assert len(stops) > 2


def test_only_the_main_thread_listens_and_only_where_it_is_worth_it():
    assert is_worth_it(None)
    assert is_worth_it(1.0)
    assert not is_worth_it(0.001)
    found = []
    thread = threading.Thread(target=lambda: found.append(is_worth_it(None)))
    thread.start()
    thread.join()
    assert found == [False]
