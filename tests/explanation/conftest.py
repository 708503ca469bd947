"""The worked example's first step, from each backend."""

from __future__ import annotations

import pytest

from tests.explanation.traces import explain_worked


@pytest.fixture(params=["native", "numpy"])
def worked(request):
    """The first step of the 2-2-2 network."""
    return explain_worked(backend=request.param)
