"""A headless Chromium that tests talk to, through a pipe and without a library."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Chromium reads its commands from file 3 and answers in file 4.
_LAUNCH = """
import os, sys
read, write = map(int, sys.argv[1:3])
os.dup2(read, 1003), os.dup2(write, 1004), os.dup2(1003, 3), os.dup2(1004, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


_STATE = "document.readyState + ' ' + location.href.split('#')[0]"


class Browser:
    """One tab."""

    def __init__(self):
        self.home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read, self._commands = os.pipe()
        self._answers, write = os.pipe()
        switches = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        where = [f"--user-data-dir={self.home.name}", "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(read), str(write), CHROMIUM, *switches, *where],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._rest = b""
        self._numbers = itertools.count(1)
        self.events = []
        self.session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        """Send a command and return what it gives."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self._rest:
            piece = os.read(self._answers, 1 << 16)
            assert piece, "Chromium is gone"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        """Open a page anew, and wait until it is there."""
        for address in ("about:blank", url):
            self.send("Page.navigate", url=address)
            while self.send("Runtime.evaluate", expression=_STATE)["result"]["value"] != (
                f"complete {address.partition('#')[0]}"
            ):
                time.sleep(0.01)
            if address == "about:blank":
                self.events.clear()

    def run(self, script):
        """Evaluate JavaScript in the page; a promise is waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key):
        """Press a key."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
        more = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **more, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **more)

    def resize(self, width, height):
        """Set the size of the window."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        # The answer comes before the page is laid out anew, on a busy machine.
        for _ in range(100):
            if self.run("[innerWidth, innerHeight]") == [width, height]:
                return
            time.sleep(0.05)

    def prefer(self, **features):
        """Set what the reader prefers: ``prefers_color_scheme="dark"``."""
        given = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.send("Emulation.setEmulatedMedia", features=given)

    def picture(self, path):
        """Save what the page looks like."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(data["data"]))

    @property
    def complaints(self):
        """What went wrong in the page: errors, and what its policy blocked."""
        wrong = ("Runtime.exceptionThrown", "Log.entryAdded")
        return [each["params"] for each in self.events if each.get("method") in wrong]

    @property
    def requests(self):
        """The addresses that were asked for."""
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [each["params"]["request"]["url"] for each in asked]

    def close(self):
        """End the browser."""
        try:
            self.session = None
            self.send("Browser.close")
        except (AssertionError, OSError):
            self.process.kill()
        self.process.wait(timeout=20)
        os.close(self._commands)
        os.close(self._answers)
        self.home.cleanup()
