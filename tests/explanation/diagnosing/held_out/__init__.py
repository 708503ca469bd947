"""The doctor's later exams: set-ups that the author of its rules had not seen.

They were written after the first exam (`setups`), by somebody who had not read the rules, and came
here when the rules were frozen. **They are not changed to suit a rule.** What each showed when it
was asked first stands in docs/doctor.md; only then were rules mended by it. They have the form of
the first exam, in books of their own, and other data, layers, losses, optimisers and sizes; they
come from what people ask in forums and hand in for courses.

The third (`LATER_BROKEN`, `LATER_HEALTHY`) was written after two false alarms of the second had
been mended, again by somebody who had not read the rules.

The fourth (`FOURTH_BROKEN`, `FOURTH_HEALTHY`) was written when practice had widened the rules, by
somebody who had not read them nor asked the doctor; it holds what is common.

The fifth (`FIFTH_BROKEN`, `FIFTH_HEALTHY`) was written by somebody who had not read the rules nor
asked the doctor; it leans to what is taught, compared and tried out in small experiments.

The sixth (`SIXTH_BROKEN`, `SIXTH_HEALTHY`) was written by somebody who had not read the rules nor
asked the doctor; it holds what students and researchers have on their desks.

The seventh (`SEVENTH_BROKEN`, `SEVENTH_HEALTHY`) was written by somebody who had not read the rules
nor asked the doctor; it holds plain faults, and plain set-ups, of tables, small pictures and texts.
"""

from tests.explanation.diagnosing.held_out import (  # noqa: F401  each writes down its set-ups
    broken,
    fifth_broken,
    fifth_healthy,
    fourth_broken,
    fourth_healthy,
    healthy,
    later_broken,
    later_healthy,
    seventh_broken,
    seventh_healthy,
    sixth_broken,
    sixth_healthy,
)
from tests.explanation.diagnosing.setups.case import broken_of, healthy_of

HELD_OUT_BROKEN, HELD_OUT_HEALTHY = broken_of("second"), healthy_of("second")
LATER_BROKEN, LATER_HEALTHY = broken_of("third"), healthy_of("third")
FOURTH_BROKEN, FOURTH_HEALTHY = broken_of("fourth"), healthy_of("fourth")
FIFTH_BROKEN, FIFTH_HEALTHY = broken_of("fifth"), healthy_of("fifth")
SIXTH_BROKEN, SIXTH_HEALTHY = broken_of("sixth"), healthy_of("sixth")
SEVENTH_BROKEN, SEVENTH_HEALTHY = broken_of("seventh"), healthy_of("seventh")
