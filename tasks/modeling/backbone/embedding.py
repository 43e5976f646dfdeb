"""Embedding: images through the backbone, one a call in parallel threads, and the features of several cuts at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError, SettingsError
from tasks.domain.images.augmentation import IDENTITY, render_view
from tasks.domain.images.preprocessing import Limits, Picture, open_picture
from tasks.domain.images.rejections import Rejection
from tasks.modeling.backbone.backbone import Backbone, Vector
from tasks.modeling.backbone.inception import feature_width, list_fitting_cuts, split_cut
from tasks.modeling.backbone.loading import DEMO_CUT, load_on_engine
from tasks.modeling.backbone.serialization import is_weights_file
from tasks.modeling.determinism import map_in_parallel

if TYPE_CHECKING:
    from configs import schema

#: Measures what is done within, under the name of a stage.
Stage = Callable[[str], AbstractContextManager[None]]
#: An image, a view, and its features in that view.
ViewFeatures = tuple[str, str, Vector]
# How many calls are timed: the middle one of three is no outlier, and each takes a run a tenth of a second.
_TIMED = 3


def embed_images(
    backbone: Backbone, images: Iterable[tuple[str, bytes]], limits: Limits
) -> Iterator[tuple[str, Vector]]:
    """Embed images as they are.

    Args:
        backbone: The backbone.
        images: The name and the bytes of each image.
        limits: Which image files are accepted.

    Yields:
        The name and the features of each image, in order.
    """
    for view_features in embed_views(backbone, ((name, data, (IDENTITY,)) for name, data in images), limits):
        yield from ((name, vector) for name, _, vector in view_features)


def embed_views(
    backbone: Backbone,
    images: Iterable[tuple[str, bytes, Sequence[str]]],
    limits: Limits,
    stage: Stage = lambda _name: nullcontext(),
) -> Iterator[list[ViewFeatures]]:
    """Embed views of images; each image is decoded once for all of its views.

    Args:
        backbone: The backbone.
        images: The name, the bytes and the views of each image.
        limits: Which image files are accepted.
        stage: Measures what threads spend on the decoder and on the network.

    Yields:
        The features of each image in its views, in order.
    """
    if backbone.batch > 1:
        from tasks.modeling.backbone.batches import embed_in_batches

        yield from embed_in_batches(backbone, images, limits, stage)
        return
    network = backbone.network

    def embed_image(image: tuple[str, bytes, Sequence[str]]) -> list[ViewFeatures]:
        name, data, views = image
        with stage("decoder"):
            picture = decode_image(name, data, limits)
            squares = [render_view(picture, backbone.size, view) for view in views]
        with stage("network"):
            return [(name, view, network(pixels)) for view, pixels in zip(views, squares, strict=True)]

    yield from map_in_parallel(embed_image, images)


def measure_latency(backbone: Backbone, name: str, data: bytes, limits: Limits) -> float:
    """Measure the time from an image's bytes to its features.

    Args:
        backbone: The backbone.
        name: The name of the image.
        data: Its bytes.
        limits: Which image files are accepted.

    Returns:
        The median of several calls, in milliseconds on this machine.
    """

    def once() -> float:
        started = perf_counter()
        backbone.network(render_view(decode_image(name, data, limits), backbone.size, IDENTITY))
        return 1000 * (perf_counter() - started)

    once()  # The first call traces the network.
    return median(once() for _ in range(_TIMED))


def decode_image(name: str, data: bytes, limits: Limits) -> Picture:
    """Decode a stored image.

    Args:
        name: The name of the image.
        data: Its bytes.
        limits: Which image files are accepted.

    Returns:
        The picture.

    Raises:
        PedigreeError: The image is rejected under these limits.
    """
    picture = open_picture(data, limits)
    if isinstance(picture, Rejection):
        message = f"The stored image {name} cannot be used any more: {picture.detail}."
        raise PedigreeError(
            f"{message} Undo the change of the settings under images, or restore the store's images.lance."
        )
    return picture


def load_every_cut(settings: "schema.Backbone", data: bytes | None = None) -> Backbone:
    """Build the backbone that gives the features of every cut side by side.

    Args:
        settings: Which weights, size and precision.
        data: The weights file, where the settings name a path or an address.

    Returns:
        The backbone with all cuts that its size allows.

    Raises:
        SettingsError: The weights end at a cut of their own.
    """
    check_has_other_cuts(settings, data)
    return load_on_engine(settings.model_copy(update={"cut": "+".join(list_fitting_cuts(settings.size))}), data)


def check_has_other_cuts(settings: "schema.Backbone", data: bytes | None = None) -> None:
    """Check that the weights allow more than one cut.

    Args:
        settings: Which weights.
        data: The weights file, where the settings name a path or an address.

    Raises:
        SettingsError: The weights end at a cut of their own, so that there is none to compare with.
    """
    if settings.weights == "demo":
        raise SettingsError(
            f"backbone.weights is demo, whose network ends at {DEMO_CUT}: it has no other cut to compare. Set "
            "backbone.weights to imagenet, or to a file of the whole network."
        )
    if data and is_weights_file(data):
        raise SettingsError(
            f"The weights file {settings.weights} was written by Pedigree and ends at one cut: it has no other cut to "
            "compare. Set backbone.cut to it, or name a file of Keras's."
        )


def find_cut_columns(all_cuts: str, cut: str) -> NDArray[np.int64]:
    """Find the columns of one cut, or of two, among the features of several cuts side by side.

    Args:
        all_cuts: The cuts that stand side by side, joined by ``+``.
        cut: The cut to find.

    Returns:
        The columns, of shape (width,).
    """
    layers = split_cut(all_cuts)
    ends = np.cumsum([feature_width(layer) for layer in layers])
    return np.concatenate(
        [
            np.arange(ends[layers.index(layer)] - feature_width(layer), ends[layers.index(layer)])
            for layer in split_cut(cut)
        ]
    )


def gives_same_features(all_cuts: Backbone, single: Backbone) -> bool:
    """Return whether one pass through several cuts gives the bits of a network that ends at one of them.

    Args:
        all_cuts: The backbone with several cuts.
        single: The backbone with one of them.

    Returns:
        Whether all bits are the same on this machine, for random pictures.
    """
    noise = np.random.default_rng(0).integers(0, 256, (2, single.size, single.size, 3), dtype=np.uint8)
    column_indices = find_cut_columns(all_cuts.cut, single.cut)
    return all(np.array_equal(all_cuts.network(pixels)[column_indices], single.network(pixels)) for pixels in noise)
