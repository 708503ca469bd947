"""Whatever a function does beside computing is told; nothing hangs, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import chainrule as cr
from tests.explanation.checking.functions.learners_common import gradients, said


def test_what_would_be_left_behind_is_refused(tmp_path):
    path = tmp_path / "weights.npy"
    deeds = {
        f"write the file {path}": lambda: np.save(path, np.zeros(3)),
        "ask for input": lambda: input("How many? "),
        "start another process": os.fork,
        "run another program": lambda: subprocess.Popen([sys.executable, "-V"]),
        "send a signal": lambda: os.kill(os.getppid(), signal.SIGTERM),
        f"remove {tmp_path}": lambda: os.rmdir(tmp_path),
    }
    for told, deed in deeds.items():

        def backprop(X, Y, W1, b1, W2, b2, deed=deed):
            deed()
            return gradients(X, Y, W1, b1, W2, b2)

        found = cr.check_function(backprop)
        assert not found
        assert f"It wants to {told}, which is not done while it is tried" in " ".join(
            found.trouble.split()
        )
    assert not path.exists()
    assert tmp_path.exists()


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        pytest.param(
            lambda: np.seterr(all="raise"),
            "It changes np.seterr, for all that runs after it.",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: warnings.warn("old", stacklevel=1),
            "It warns: UserWarning: old",
            marks=pytest.mark.slow,
        ),
        (lambda: np.log(np.zeros(2)), "It warns: RuntimeWarning: divide by zero"),
        pytest.param(
            lambda: sys.stdout.buffer.write(b"layer 1\n"),
            "It prints: layer 1",
            marks=pytest.mark.slow,
        ),
        (lambda: [print("y" * 1000) for _ in range(2000)], "(and more: 2 MB in one call)"),
    ],
)
def test_what_is_done_beside_computing_is_told_and_is_no_mistake(deed, told):
    handling = np.geterr()

    def backprop(X, Y, W1, b1, W2, b2):
        deed()
        return gradients(X, Y, W1, b1, W2, b2)

    found = cr.check_function(backprop)
    assert found, found.text()
    assert told in said(found)
    assert len(found.text()) < 1500
    assert np.geterr() == handling


def test_what_never_returns_is_told():
    def calls_itself(X, Y, W1, b1, W2, b2):
        return calls_itself(X, Y, W1, b1, W2, b2)

    def raises_an_interrupt(X, Y, W1, b1, W2, b2):
        raise KeyboardInterrupt

    assert "it calls itself without end" in said(cr.check_function(calls_itself))
    assert "It raised KeyboardInterrupt, in line" in said(cr.check_function(raises_an_interrupt))


def test_a_loop_that_ignores_being_told_to_end_is_ended():
    def stubborn(X, Y, W1, b1, W2, b2):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            pass

    begin = time.monotonic()
    assert "did not come to an end" in said(cr.check_function(stubborn, seconds=0.3))
    assert time.monotonic() - begin < 20


def test_a_thread_that_goes_on_is_not_waited_for():
    def starts_a_thread(X, Y, W1, b1, W2, b2):
        threading.Thread(target=time.sleep, args=(1000,)).start()
        return gradients(X, Y, W1, b1, W2, b2)

    assert cr.check_function(starts_a_thread)


@pytest.mark.slow
def test_a_slow_function_is_tried_on_as_many_networks_as_there_is_time_for():
    def slow(X, Y, W1, b1, W2, b2):
        time.sleep(0.4)
        return gradients(X, Y, W1, b1, W2, b2)

    found = cr.check_function(slow, seconds=0.7)
    assert found
    assert not found.is_whole
    assert "It takes long: there was no time for more." in said(found)


def test_a_function_that_breaks_its_process_says_by_which_signal():
    def breaks(X, Y, W1, b1, W2, b2):
        signal.raise_signal(signal.SIGSEGV)

    assert "It ended the whole process, with SIGSEGV" in said(cr.check_function(breaks))


def test_a_result_without_end_is_not_taken():
    def returns_much(X, Y, W1, b1, W2, b2):
        return np.zeros(1 << 25)

    told = said(cr.check_function(returns_much))
    assert "It returned a ndarray of 33554432 numbers" in told
