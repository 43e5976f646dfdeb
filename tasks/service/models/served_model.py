"""The served model: a champion with all that turns a photograph's bytes into its answer."""

import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.cores import count_cores
from configs.errors import PedigreeError
from configs.servers import Serve
from tasks.decoding.square_decoder import SquareDecoder
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.file_formats import exceeds_passes
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.inbox.consent import Consent
from tasks.modeling.packaged_model import Prediction, predict_features, reject

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.modeling.head.head import Head
    from tasks.modeling.packaged_model import Package

Vector = NDArray[np.float32]
_MEGABYTE, _MEGAPIXEL = 2**20, 10**6
# Pixels of a JPEG times its scans, which take a second; encoders make a dozen scans. A process that is killed only when
# its time is up would keep a core from others until then.
_MOST_PASSES = 600_000_000
# How often all processes are asked at once until each of them is there.
_WARM_UPS = 20


class Squares:
    """Decoding processes for one size and one set of limits, which end when no model uses them any more."""

    def __init__(self, size: int, limits: Limits, seconds: float) -> None:
        """Start no process yet.

        Args:
            size: The side of a square in pixels.
            limits: Which image files are accepted.
            seconds: How long decoding one file may take.
        """
        self.size, self.limits, self._seconds = size, limits, seconds
        self._decoder = SquareDecoder(size, limits)
        self.close = weakref.finalize(self, self._decoder.__exit__)

    def decode(self, data: bytes) -> NDArray[np.uint8] | Rejection:
        """Decode a file in a process of its own; any number of threads may call this.

        Args:
            data: The bytes of the file.

        Returns:
            The network's square, of shape (size, size, 3), or why the file is rejected.
        """
        if exceeds_passes(data, _MOST_PASSES):
            return Rejection(Reason.TOO_SLOW, f"a JPEG whose scans pass over more than {_MOST_PASSES:,} pixels")
        squares = self._decoder.decode(data, seconds=self._seconds)
        return squares if isinstance(squares, Rejection) else squares[0]

    def warm_up(self) -> None:
        """Start every process now, as far as they start: the first clients do not wait for them."""
        cores = count_cores()
        with ThreadPoolExecutor(cores) as pool, suppress(PedigreeError, RuntimeError):
            for _ in range(_WARM_UPS):
                if len(self.processes) >= cores:
                    break
                # A file that is no picture is answered at once, so that one process may answer for two.
                list(pool.map(self.decode, [b"This is no picture."] * cores))

    @property
    def processes(self) -> list[int]:
        """Return the numbers of the processes that are alive."""
        return self._decoder.processes


@dataclass(frozen=True)
class ServedModel:
    """A model that answers; requests that began with it end with it.

    Attributes:
        identity: Which model it is.
        backbone: Turns squares into features.
        head: Turns features into probabilities.
        squares: Turns files into squares.
        golden: The features that the golden check computed, by image: a head on the same backbone is checked with them.
        reference: The hash of the reference pictures' features on this machine; empty before it was computed.
    """

    identity: ModelIdentity
    backbone: "Backbone"
    head: "Head"
    squares: Squares
    golden: Mapping[str, Vector] = field(default_factory=dict)
    reference: str = ""

    def embed(self, data: bytes) -> Vector | Rejection:
        """Return the features of a photograph, of shape (width,), or why it is rejected."""
        square = self.squares.decode(data)
        return square if isinstance(square, Rejection) else self.backbone.network(square)

    def predict(self, data: bytes) -> Prediction:
        """Return what the model says about the bytes of a photograph; any number of threads may call this."""
        features = self.embed(data)
        return reject(features) if isinstance(features, Rejection) else predict_features(self.head, features)

    def named(self, identity: ModelIdentity) -> "ServedModel":
        """Return the same model under another version or decision."""
        return replace(self, identity=identity)


@dataclass(frozen=True)
class Observation:
    """A photograph that has an answer.

    Attributes:
        model: The model that answered.
        data: The bytes of the photograph.
        square: What the network saw, of shape (size, size, 3), uint8.
        features: What the network made of it, of shape (width,).
        prediction: What the head said.
        unusual: How unusual the photograph is, from 0 to 1; None where that is not known.
        answer: The id of the answer.
        consent: What its sender says about keeping it.
    """

    model: ServedModel
    data: bytes
    square: NDArray[np.uint8]
    features: Vector
    prediction: Prediction
    unusual: float | None
    answer: str = ""
    consent: Consent = Consent.NONE

    @cached_property
    def image(self) -> str:
        """Return the SHA-256 of the photograph's bytes."""
        return sha256_of_bytes(self.data)


def build_model(
    identity: ModelIdentity, backbone: "Backbone", package: "Package", settings: Serve, former: ServedModel | None
) -> ServedModel:
    """Build a model from its files.

    Decoding processes of the former model go on where nothing about them differs, and so do the features of its golden
    check where the backbone is the same.

    Args:
        identity: Which model it is.
        backbone: Turns squares into features.
        package: The head, and which image files training accepts.
        settings: How long decoding may take, and which files are accepted at most.
        former: The model that serves now, if any.

    Returns:
        The model.

    Raises:
        PedigreeError: The head does not fit the backbone.
    """
    from tasks.modeling.head.head import Head

    head = Head.from_bytes(package.head)
    if head.weights.shape != (backbone.width, len(head.classes)):
        raise PedigreeError(f"The head {head.name[:12]} does not fit the backbone {identity.backbone[:12]}.")
    squares = _squares(backbone.size, package.limits, settings, former)
    if former and former.backbone is backbone and former.squares is squares:
        return replace(former, identity=identity, head=head)
    return ServedModel(identity, backbone, head, squares)


def _squares(size: int, limits: Limits, settings: Serve, former: ServedModel | None) -> Squares:
    bounded = replace(
        limits,
        max_bytes=min(limits.max_bytes, settings.max_megabytes * _MEGABYTE),
        max_pixels=min(limits.max_pixels, settings.max_megapixels * _MEGAPIXEL),
    )
    if former and (former.squares.size, former.squares.limits) == (size, bounded):
        return former.squares
    return Squares(size, bounded, settings.decode_seconds)
