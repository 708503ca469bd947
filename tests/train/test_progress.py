"""The progress bar: on a terminal, and nowhere else."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

import chainrule as cr
from chainrule.train.progress import format_values
from tests.train.nets import examples, plain

X, Y = examples()

SCRIPT = """
    import os, time
    import chainrule as cr
    from tests.train.nets import examples, plain

    class Slow(cr.Callback):
        def on_train_batch_end(self, step, logs):
            time.sleep(float(os.environ.get("SECONDS", 0.02)))

    x, y = examples()
    cr.fit(plain(), x, y, loss="CrossEntropyLoss",
           epochs=int(os.environ.get("EPOCHS", 2)), batch_size=8,
           metrics=["accuracy"], validation=(x, y), callbacks=[Slow()])
"""


def test_silent_where_there_is_no_terminal(capfd):
    cr.fit(plain(), X, Y, loss="CrossEntropyLoss")
    assert capfd.readouterr() == ("", "")


def shown_on_a_terminal(**environment):
    """What the script writes to a terminal of 80 columns."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    import fcntl
    import struct
    import termios

    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        stdout=terminal,
        stderr=terminal,
        env=variables | {"TERM": "xterm-256color"} | environment,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # Linux's way to say that nobody writes any more
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait() == 0
    return shown.decode()


def bare(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def columns(text):
    """The widths of the lines as they stand on the screen at any time."""
    return [len(line) for line in re.split(r"[\r\n]+", bare(text))]


def what_stays(text):
    """The lines on the screen in the end."""
    screen, row = {}, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|\n|\r|[^\x1b\n\r]+", text):
        match token:
            case "\n":
                row += 1
            case "\x1b[1A":
                row -= 1
            case "\x1b[2K":
                screen[row] = ""
            case _ if not token.startswith(("\x1b", "\r")):
                screen[row] = screen.get(row, "") + token
    return [line.strip() for _, line in sorted(screen.items()) if line.strip()]


def test_bar_on_a_terminal():
    text = shown_on_a_terminal()
    assert "epoch 1/2" in text
    assert "━" in text
    assert re.search(r"loss .*1\.\d+.*accuracy .*\d+\.\d\d %", text)
    assert max(columns(text)) <= 80
    # What stays is a line for each epoch; the bar itself is taken away.
    pattern = r"epoch \d/2  loss [\d.]+  accuracy [\d.]+ %  val_loss [\d.]+  val_accuracy [\d.]+ %"
    stays = what_stays(text)
    assert [line[:9] for line in stays] == ["epoch 1/2", "epoch 2/2"]
    assert all(re.fullmatch(pattern, line) for line in stays)


def test_epochs_by_the_thousand_do_not_each_have_a_line():
    text = shown_on_a_terminal(EPOCHS="300", SECONDS="0")
    stays = [line for line in what_stays(text) if line.startswith("epoch")]
    assert len(stays) < 150
    assert stays[0].startswith("epoch   1/300")
    assert stays[-1].startswith("epoch 300/300")


def test_no_color():
    text = shown_on_a_terminal(NO_COLOR="1")
    assert "epoch 1/2" in text
    colours = re.findall(r"\x1b\[([\d;]*)m", text)
    # Bold and dim are not colours; 30 to 38 and 90 to 97 are.
    assert not [c for c in colours if re.search(r"(^|;)(3[0-8]|9[0-7])(;|$)", c)]


def test_numbers_are_short():
    values = {"loss": 0.123456, "accuracy": 0.97504, "val_loss": 123456.0, "mse": 1e-9}
    assert format_values(values) == ("loss 0.1235  accuracy 97.50 %  val_loss 1.235e+05  mse 1e-09")
