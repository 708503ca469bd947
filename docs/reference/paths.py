"""Where the generator finds what tests hold, and its own templates."""

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ACCURACY = ROOT / "tests" / "golden" / "accuracy"
