"""Fashion-MNIST: a subset that travels with the book, and the full set from a folder."""

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longtail.datasets._files import Split, check_sha256, check_split, read_npz

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

MEAN, DEVIATION = 0.286, 0.353  # of all pixels of the 60,000 training images, between 0 and 1

# sha256 of the uncompressed bytes: the compressed ones differ from one distributor to the next.
FASHION_FULL = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


@dataclass(frozen=True, eq=False)
class Images:
    """Grey-level images with their classes.

    Attributes
    ----------
    images : array of uint8, shape (n, 28, 28)
        Brightness from 0 (background) to 255.
    labels : array of int64, shape (n,)
        Classes 0, ..., 9.
    class_names : tuple of str
        What the classes are called.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] = FASHION_CLASSES

    @property
    def inputs(self) -> NDArray[np.float32]:
        """Images as rows of floats for a network, shape (n, 784), centred and scaled by constants."""
        flat = self.images.reshape(len(self.images), -1).astype(np.float32)
        return np.asarray((flat / 255 - np.float32(MEAN)) / np.float32(DEVIATION), dtype=np.float32)


def fashion_mnist(split: Split = "train") -> Images:
    """Load the subset of Fashion-MNIST that comes with the book.

    Parameters
    ----------
    split : {"train", "test"}
        5,000 images (500 of each class) out of the 60,000 training images, or 2,000 (200 of each
        class) out of the 10,000 test images: a random choice, in the original order.

    Returns
    -------
    Images

    Raises
    ------
    ValueError
        If `split` has another value, or if the packed file is damaged.

    Notes
    -----
    Licence MIT, Zalando SE; credits in ``longtail/datasets/README.md``.

    Examples
    --------
    >>> data = fashion_mnist("test")
    >>> data.images.shape, data.class_names[data.labels[0]]
    ((2000, 28, 28), 'Shirt')
    """
    check_split(split)
    packed = read_npz("fashion_mnist.npz")
    return Images(packed[f"{split}.images"], packed[f"{split}.labels"].astype(np.int64))


def fashion_mnist_full(split: Split = "train", path: str | os.PathLike[str] | None = None) -> Images:
    """Load all of Fashion-MNIST from a folder: 60,000 training or 10,000 test images.

    Nothing is downloaded.  The Debian package ``dataset-fashion-mnist`` holds the four gzip IDX
    files that Zalando publishes.

    Parameters
    ----------
    split : {"train", "test"}
        Which two of the four files to read.
    path : path, optional
        Folder of the files.  Default: what the environment variable ``LONGTAIL_DATA`` says.

    Returns
    -------
    Images

    Raises
    ------
    FileNotFoundError
        If no folder is given or a file is missing: the message says what was looked for and where.
    ValueError
        If `split` has another value, or if a file is not gzip or not the published one (the
        sha256 of the uncompressed bytes is compared).
    """
    check_split(split)
    prefix = "train" if split == "train" else "t10k"
    images, labels = (read_idx(_find(n, path), s) for n, s in FASHION_FULL.items() if n.startswith(prefix))
    return Images(images, labels.astype(np.int64))


def _find(name: str, path: str | os.PathLike[str] | None) -> Path:
    folder = path or os.environ.get("LONGTAIL_DATA")
    file = Path(folder or "") / name
    if folder and file.is_file():
        return file
    looked = f"there is no {file}" if folder else "neither path= nor the variable LONGTAIL_DATA is given"
    raise FileNotFoundError(
        f"{name}: {looked}. Expected: the folder that holds {', '.join(FASHION_FULL)}; "
        "Debian's package dataset-fashion-mnist installs it as /usr/share/datasets/fashion-mnist"
    )


def read_idx(file: Path, sha256: str) -> NDArray[np.uint8]:
    """Read an array from a gzip IDX file whose uncompressed bytes have the given sha256.

    The layout: two zeros, the type (8: bytes), the number of axes; each length as a big-endian
    32-bit integer; the values.
    """
    try:
        data = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is not a complete gzip file: {error}") from error
    check_sha256(file, data, sha256)
    ends = 4 + 4 * data[3]
    shape = np.frombuffer(data[4:ends], dtype=">u4")
    return np.frombuffer(data, np.uint8, offset=ends).reshape(shape).copy()
