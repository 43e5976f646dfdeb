"""External weights: InceptionV3 with Keras's ImageNet download, or with a weights file that Keras wrote."""

import io
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import h5py

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of_bytes
from tasks.modeling.backbone.imagenet_file import IMAGENET_FILE, describe_ways_out, find_imagenet
from tasks.modeling.backbone.inception import build_blank, rename_layers
from tasks.modeling.determinism import configure_tensorflow

if TYPE_CHECKING:
    import keras

# The seconds without a byte after which a download is given up; Keras itself would wait for ever.
_PATIENCE = 20.0


def load_imagenet(sha256: str) -> tuple["keras.Model", str]:
    """Build the whole network with Keras's ImageNet weights, which Keras downloads once and then finds in its cache.

    Keras checks only an MD5. Where a SHA-256 is given, a file in the cache is checked against it before anything opens
    it.

    Args:
        sha256: The expected SHA-256 of Keras's file; empty accepts any.

    Returns:
        The network, and the SHA-256 of Keras's file.

    Raises:
        PedigreeError: The weights cannot be downloaded, or have another SHA-256.
    """
    configure_tensorflow()
    import keras

    data = _read_cached()
    if data and sha256:
        return load_keras_file(_check_sha256(data, sha256), IMAGENET_FILE), sha256
    try:
        with _download():
            network = keras.applications.InceptionV3(include_top=False, weights="imagenet")
    except Exception as error:
        weights = find_imagenet()
        unreachable = weights.unreachable or "the download broke off"
        raise PedigreeError(f"{describe_ways_out(replace(weights, unreachable=unreachable))}.") from error
    return rename_layers(network), sha256_of_bytes(_check_sha256(_read_cached(), sha256))


def load_keras_file(data: bytes, origin: str) -> "keras.Model":
    """Build the whole network with the weights of a file in either of Keras's layouts.

    Args:
        data: The file.
        origin: Its name for the error sentence.

    Returns:
        The network.

    Raises:
        PedigreeError: The file is damaged, or not one of InceptionV3 without its top.
    """
    try:
        # Keras tells its two layouts apart by the name of the file, and this function by its content.
        name = f"inception{_suffix(data)}"
        network = build_blank()
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        message = f"The weights file {origin} is damaged, or not one of InceptionV3 without its top: use another file."
        raise PedigreeError(message) from error
    return network


def _read_cached() -> bytes:
    """Return Keras's ImageNet file; empty where Keras has not downloaded it."""
    import keras

    with redirect_stdout(io.StringIO()):
        try:
            # Only Keras knows where its cache is. It opens the address below only where the cache holds nothing.
            return Path(keras.utils.get_file(IMAGENET_FILE, origin="file:///none", cache_subdir="models")).read_bytes()
        except Exception:  # noqa: BLE001 - what Keras raises is a bare Exception
            return b""


def _check_sha256(data: bytes, sha256: str) -> bytes:
    digest = sha256_of_bytes(data)
    if sha256 and digest != sha256:
        message = f"Keras's ImageNet weights {IMAGENET_FILE} have SHA-256 {digest}, not backbone.sha256: correct it, or"
        raise PedigreeError(
            f"{message} remove the file from the folder models of Keras's home, so that it is downloaded again."
        )
    return data


def _suffix(data: bytes) -> str:
    with h5py.File(io.BytesIO(data), "r") as file:
        return ".h5" if "layer_names" in file.attrs else ".weights.h5"


@contextmanager
def _download() -> Iterator[None]:
    """Give up on a network that is silent, and keep the progress bar off the standard output, which may be JSON."""
    former_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        with redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(former_timeout)
