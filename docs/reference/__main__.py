"""`python -m docs.reference [folder]`: write the reference, by default to build/reference."""

import sys
from pathlib import Path

from docs.reference.paths import ROOT
from docs.reference.site import read_site, write_site


def main(arguments: list[str]) -> None:
    """Write the site to the folder that is given."""
    folder = Path(arguments[0]) if arguments else ROOT / "build" / "reference"
    files = write_site(read_site(), folder)
    print(f"{len(files)} files in {folder}; begin with {folder / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
