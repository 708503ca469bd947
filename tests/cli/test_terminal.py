"""On a terminal and off it: bars, colours, pipes, full disks, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "chainrule"]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m")
BAR = "━"

on_unix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")


def on_terminal(*words, folder, stdout=None, seconds=60, **variables):
    """Run a command whose standard error (and output, unless given) is a terminal of 80 columns."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        cwd=folder,
        env={**environment, "TERM": "xterm-256color", **variables},
    )
    os.close(theirs)
    seen = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux's way to say that nobody has the other end any more
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    return process.wait(timeout=10), seen.decode()


@on_unix
def test_bar_moves_on_a_terminal_and_leaves_nothing_behind(folder):
    words = ["train", "digits", "--epochs", "40", "--no-keep"]
    status, seen = on_terminal(*words, folder=folder)
    assert status == 0
    assert BAR in seen
    assert "epoch 40/40" in seen or "epoch 39/40" in seen
    assert "\x1b[?25h" in seen  # the cursor is back
    after = seen[seen.rindex(BAR) :]
    assert "held out   loss" in after


@on_unix
def test_bar_goes_to_standard_error_alone(folder):
    with (folder / "out.json").open("wb") as out:
        words = ["train", "digits", "--epochs", "20", "--no-keep", "--json"]
        status, seen = on_terminal(*words, folder=folder, stdout=out)
    assert status == 0
    assert BAR in seen
    assert json.loads((folder / "out.json").read_text("utf-8"))["runs"]


@on_unix
def test_no_color_has_none(folder):
    words = ["train", "iris", "--epochs", "30", "--no-keep"]
    assert COLOUR.search(on_terminal(*words, folder=folder)[1])
    assert not COLOUR.search(on_terminal(*words, folder=folder, NO_COLOR="1")[1])


@on_unix
def test_dumb_terminal_gets_plain_text(folder):
    _, seen = on_terminal(
        "train", "iris", "--epochs", "30", "--no-keep", folder=folder, TERM="dumb"
    )
    assert "\x1b" not in seen
    assert BAR not in seen


def test_plain_text_off_a_terminal(shell):
    done = shell("train", "iris", "--epochs", 3, "--no-keep")
    assert "\x1b" not in done.out
    assert done.err == ""
    assert not any(line.endswith(" ") for line in done.out.splitlines())
    assert max(map(len, done.out.splitlines())) <= 80


def test_letters_that_a_terminal_has_not_do_no_harm(shell):
    done = shell("data", "2-3-1", env={"PYTHONIOENCODING": "ascii"})
    assert done.status == 0
    document = shell("data", "2-3-1", "--json", env={"PYTHONIOENCODING": "ascii"}).document
    assert "²" in document["description"]


@on_unix
def test_reader_that_has_gone_is_no_error(folder):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*COMMAND, "data", "--json"], stdout=theirs, stderr=subprocess.PIPE, cwd=folder, check=False
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_output_that_cannot_be_written(folder):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "data"], stdout=full, stderr=subprocess.PIPE, cwd=folder, check=False
        )
    assert (done.returncode, done.stderr.decode()) == (2, "chainrule: No space left on device.\n")


@on_unix
def test_disk_that_is_full(folder, flowers):
    import resource

    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = subprocess.run(
        [*COMMAND, "train", "iris", "--epochs", "2"],
        capture_output=True,
        text=True,
        cwd=folder,
        preexec_fn=no_large_files,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(r"chainrule: runs/iris/.*: File too large\.\n", done.stderr)
    assert not list((folder / "runs").rglob("*.tmp"))
    assert not list((folder / "runs").rglob("model.safetensors"))


@on_unix
@pytest.mark.parametrize("target", [["digits"], ["flowers.csv", "--target", "species"]])
def test_ctrl_c_keeps_the_run_and_says_how_to_go_on(folder, shell, flowers, target):
    name = target[0].partition(".")[0]
    words = ["train", *target, "--epochs", "100000"]
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    run = folder / "runs" / name
    history = run / "history.jsonl"
    end = time.monotonic() + 60
    while not history.exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(
        r"chainrule: Interrupted after [\d,]+ epochs?\. "
        rf"`chainrule train --resume runs/{name}` goes on\.\n",
        err,
    )
    assert "held out   loss" in out
    assert (run / "model.safetensors").is_file()
    done = len(history.read_text("utf-8").splitlines())
    more = shell("train", "--resume", run, "--epochs", done + 1)
    assert more.status == 0, more.err
    assert shell("evaluate", run).status == 0


def test_ctrl_c_before_training_is_quiet(chainrule, folder, monkeypatch):
    def interrupted(data):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.cli.trainings.load_source", interrupted)
    done = chainrule("train", "iris")
    assert (done.status, done.out, done.err) == (130, "", "chainrule: Interrupted.\n")
    assert list(folder.iterdir()) == []
