"""The data sets that come with the package: small, real, and readable as plain CSV.

Their sources and licences are in THIRD_PARTY_NOTICES.md.
"""

import csv
import gzip

import numpy as np

from chainrule.data.catalogue import DATASETS, dataset
from chainrule.data.dataset import Dataset


@dataset(
    "digits",
    kind="bundled",
    shape="1797 x 64, 10 classes",
    description="Handwritten digits of 13 people, 8 x 8 grey pixels from 0 to 1",
    source="Alpaydin and Kaynak 1998, UCI Machine Learning Repository, doi 10.24432/C50P49",
    licence="CC BY 4.0",
)
def load_digits() -> Dataset:
    """Load the 8 x 8 handwritten digits: x float32 (1797, 64) in [0, 1], y int64 (1797,).

    The file counts, for each pixel, 0 to 16 black dots of a 4 x 4 block. x is that count divided by
    16 (exactly), because a network with inputs up to 16 starts with its sigmoids saturated.
    """
    entry = DATASETS.get("digits")
    text = gzip.decompress(_read("digits.csv.gz")).decode()
    table = np.loadtxt(text.splitlines(), dtype=np.uint8, delimiter=",")
    return Dataset(
        "digits",
        table[:, :64].astype(np.float32) / np.float32(16),
        table[:, 64].astype(np.int64),
        feature_names=tuple(f"pixel {row},{column}" for row in range(8) for column in range(8)),
        class_names=tuple("0123456789"),
        description=entry.description,
        source=entry.source,
        image_shape=(1, 8, 8),
    )


@dataset(
    "iris",
    kind="bundled",
    shape="150 x 4, 3 classes",
    description="Sepals and petals of 50 flowers of each of three species of iris, in cm",
    source="Fisher 1936, UCI Machine Learning Repository, doi 10.24432/C56C76",
    licence="CC BY 4.0",
)
def load_iris() -> Dataset:
    """Load Fisher's iris flowers: x float64 (150, 4) in centimetres, y int64 (150,).

    These are the numbers of Fisher's paper. The copy at UCI differs in two flowers.
    """
    entry = DATASETS.get("iris")
    header, *rows = csv.reader(_read("iris.csv").decode().splitlines())
    class_names = tuple(sorted({row[-1] for row in rows}))
    return Dataset(
        "iris",
        np.array([row[:-1] for row in rows], dtype=np.float64),
        np.array([class_names.index(row[-1]) for row in rows], dtype=np.int64),
        feature_names=tuple(header[:-1]),
        class_names=class_names,
        description=entry.description,
        source=entry.source,
    )


def _read(name: str) -> bytes:
    from importlib.resources import files  # as slow to import as the rest of this room

    return (files("chainrule.data") / "files" / name).read_bytes()
