"""The doctor's second and third exam: set-ups that the author of its rules had not seen.

They were written after the first exam (`setups`), by somebody who had not read the rules, and came
here when the rules were frozen. **Neither they nor a rule are changed to make them agree**: what
is not named stays so in the figure. They have the form of the first exam, in books of their own,
and other data, layers, losses, optimisers and sizes; they come from what people ask in forums and
hand in for courses.

The third (`LATER_BROKEN`, `LATER_HEALTHY`) was written after two false alarms of the second had
been mended, again by somebody who had not read the rules.
"""

from tests.explanation.diagnosing.held_out import (  # noqa: F401  each writes down its set-ups
    broken,
    healthy,
    later_broken,
    later_healthy,
)
from tests.explanation.diagnosing.setups.case import broken_of, healthy_of

HELD_OUT_BROKEN, HELD_OUT_HEALTHY = broken_of("second"), healthy_of("second")
LATER_BROKEN, LATER_HEALTHY = broken_of("third"), healthy_of("third")
