"""Keras's ImageNet weights: whether they are on this machine or can be downloaded, found out without TensorFlow."""

import hashlib
import os
import re
import tempfile
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

#: The name under which Keras keeps what it downloads.
IMAGENET_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
# Seconds that the server may take to say that it has the file.
_PATIENCE = 5
_PARENTHESES = re.compile(r'WEIGHTS_PATH_NO_TOP = \(\s*"([^"]*)"\s*"([^"]*)"\s*\)')
_MD5 = re.compile(r'WEIGHTS_PATH_NO_TOP,\s*cache_subdir="models",\s*file_hash="([0-9a-f]{32})"')


@dataclass(frozen=True, slots=True)
class ImagenetFile:
    """Where the weights can be had.

    Attributes:
        path: Where Keras keeps them on this machine.
        cached: Whether they are there.
        unreachable: Why they cannot be downloaded either; empty where they can, or are there.
        host: The server that has them.
    """

    path: Path
    cached: bool
    unreachable: str
    host: str

    @property
    def available(self) -> bool:
        """Return whether a run can have them."""
        return self.cached or not self.unreachable


def find_imagenet(sha256: str = "") -> ImagenetFile:
    """Look for the weights in Keras's folder, and else ask whether they can be downloaded, for five seconds at most.

    Args:
        sha256: The SHA-256 that a run holds the file against; without one Keras holds it against an MD5 of its own.

    Returns:
        Where they can be had.
    """
    path, (address, md5) = keras_folder() / "models" / IMAGENET_FILE, _origin()
    host = urlsplit(address).hostname or ""
    if path.is_file() and (sha256 or _is_intact(path, md5)):
        return ImagenetFile(path, cached=True, unreachable="", host=host)
    return ImagenetFile(path, cached=False, unreachable=_why_unreachable(address), host=host)


def keras_folder() -> Path:
    """Return the folder in which Keras keeps what it downloads, by Keras's own rule."""
    if home := os.environ.get("KERAS_HOME"):
        return Path(home)
    base = Path("~").expanduser()
    return (base if os.access(base, os.W_OK) else Path(tempfile.gettempdir())) / ".keras"


def _origin() -> tuple[str, str]:
    """Return address and MD5 of the file as the installed Keras has them; it is read, since importing it takes long."""
    spec = find_spec("keras")
    source = Path(spec.origin).parent / "src" / "applications" / "inception_v3.py" if spec and spec.origin else None
    try:
        text = source.read_text(encoding="utf-8") if source else ""
    except OSError:
        text = ""
    address, md5 = _PARENTHESES.search(text), _MD5.search(text)
    return (f"{address[1]}{address[2]}" if address else "", md5[1] if md5 else "")


def _is_intact(path: Path, md5: str) -> bool:
    """Tell whether Keras would use the file: it downloads one again whose MD5 is another."""
    if not md5:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def _why_unreachable(address: str) -> str:
    if not address:
        return "this Keras does not say where it has them from"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_PATIENCE):  # noqa: S310 - Keras's own
            return ""
    except HTTPError as error:
        return f"it answers with HTTP status {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return str(getattr(reason, "strerror", None) or reason)


def describe_ways_out(weights: ImagenetFile) -> str:
    """Say that the weights cannot be had, and what each way out is good for, the best one first.

    Args:
        weights: Where they were looked for.

    Returns:
        The sentences.
    """
    return (
        f"The ImageNet weights cannot be had here: {weights.path} is not there, and {weights.host or 'its server'} "
        f"cannot be reached ({weights.unreachable}). As good: download {IMAGENET_FILE} (88 MB) on another machine and "
        "put it there, or set backbone.weights to its path or s3:// address and backbone.sha256 to its SHA-256. Good "
        "too: any other InceptionV3 weights that learned from photographs, named in the same way. Only to try Pedigree "
        "out: backbone.weights demo with cut mixed2 and size 96, which knows drawn dogs and tells photographs apart "
        "badly, so that the gate rejects most models of them"
    )
