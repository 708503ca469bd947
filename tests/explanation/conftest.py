"""Steps that several tests open: each is captured once."""

from __future__ import annotations

import pytest

from tests.explanation.browser import CHROMIUM, Browser
from tests.explanation.traces import explain_classifier, explain_digits, explain_worked


@pytest.fixture(scope="session")
def worked():
    """The first step of the 2-2-2 network."""
    return explain_worked()


@pytest.fixture(scope="session", params=["native", "numpy"])
def worked_on_each(request):
    """The same from each backend."""
    return explain_worked(backend=request.param)


@pytest.fixture(scope="session")
def digits():
    """A step of the published network."""
    return explain_digits()


@pytest.fixture(scope="session")
def classifier():
    """A step with batch norm, dropout, cross-entropy and Adam."""
    return explain_classifier()


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, one for all tests."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (apt-get install chromium)")
    browser = Browser()
    yield browser
    browser.close()
