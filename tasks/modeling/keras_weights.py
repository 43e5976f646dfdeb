"""InceptionV3 with weights from elsewhere: Keras's own ImageNet download, or a weights file that Keras wrote."""

import io
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import h5py

from configs.problems import Problem
from tasks.modeling.determinism import settle
from tasks.modeling.inception import untrained

if TYPE_CHECKING:
    import keras

# Seconds without a byte after which a download is given up; Keras itself would wait for ever.
_PATIENCE = 20.0


def imagenet(size: int) -> "keras.Model":
    """Build the whole network with Keras's ImageNet weights, which Keras downloads once and then finds in its cache."""
    settle()
    import keras

    try:
        with _download():
            return keras.applications.InceptionV3(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    except Exception as error:
        message = (
            "The ImageNet weights cannot be downloaded here: either download Keras's InceptionV3 weights file (notop) "
            "elsewhere and set backbone.weights to its path or s3:// address and backbone.sha256 to its SHA-256, or "
            "set backbone.weights to demo, cut to mixed2 and size to 96 for a first try on drawn dogs."
        )
        raise Problem(message) from error


def from_keras_file(data: bytes, size: int, origin: str) -> "keras.Model":
    """Build the whole network with the weights of a file in either of Keras's layouts; raise Problem if it is none."""
    try:
        # Keras tells its two layouts apart by the file's name, we by its content.
        name = f"inception{_suffix(data)}"
        whole = untrained(size)
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            whole.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        message = f"The weights file {origin} is damaged, or not one of InceptionV3 without its top: use another file."
        raise Problem(message) from error
    return whole


def _suffix(data: bytes) -> str:
    with h5py.File(io.BytesIO(data), "r") as file:
        return ".h5" if "layer_names" in file.attrs else ".weights.h5"


@contextmanager
def _download() -> Iterator[None]:
    """Give up on a network that is silent, and keep the download's bar off the standard output, which may be JSON."""
    kept = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        with redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(kept)
