"""The worked example's first step, from each backend."""

from __future__ import annotations

import pytest

from tests.explanation.browser import CHROMIUM, Browser
from tests.explanation.traces import explain_worked


@pytest.fixture(params=["native", "numpy"])
def worked(request):
    """The first step of the 2-2-2 network."""
    return explain_worked(backend=request.param)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, one for all tests."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (apt-get install chromium)")
    browser = Browser()
    yield browser
    browser.close()
