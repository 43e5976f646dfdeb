"""Batches: images through the network many at once, in a fixed number that zeros fill up, as a graphics card wants."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice

import numpy as np

from tasks.decoding.square_decoder import SquareDecoder, Squares
from tasks.domain.images.augmentation import render_view
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Rejection
from tasks.modeling.backbone.backbone import Backbone, Pixels, Vector
from tasks.modeling.backbone.embedding import Stage, decode_image
from tasks.modeling.determinism import map_in_parallel

#: An image's name, its file, and the views that are wanted of it.
ImageFile = tuple[str, bytes, Sequence[str]]
# Batches on their way: one in the network, one that waits for it.
_ON_THE_WAY = 2


def embed_in_batches(
    backbone: Backbone, images: Iterable[ImageFile], limits: Limits, stage: Stage
) -> Iterator[list[tuple[str, str, Vector]]]:
    """Embed views of images in batches, while processes decode the next ones.

    Args:
        backbone: The backbone, whose batch is larger than 1.
        images: The name, the bytes and the views of each image.
        limits: Which image files are accepted.
        stage: Measures what threads spend on the decoder and on the network.

    Yields:
        The features of each image in its views, in order.
    """
    submitted: deque[tuple[str, Sequence[str]]] = deque()

    def noted() -> Iterator[ImageFile]:
        for image in images:
            submitted.append((image[0], image[2]))
            yield image

    with SquareDecoder(backbone.size, limits) as decoder:
        squares = (square for pictures in decode_squares(decoder, noted(), limits, stage) for square in pictures)
        vectors = _embed_squares(backbone, squares, stage)
        for first in vectors:
            name, views = submitted.popleft()
            all_views = [first, *islice(vectors, len(views) - 1)]
            yield [(name, view, vector) for view, vector in zip(views, all_views, strict=True)]


def decode_squares(
    decoder: SquareDecoder, images: Iterable[ImageFile], limits: Limits, stage: Stage = lambda _name: nullcontext()
) -> Iterator[Squares]:
    """Decode stored images in all processes, a few images ahead.

    Args:
        decoder: The processes.
        images: The images.
        limits: Which image files are accepted.
        stage: Measures what waiting for the processes takes.

    Returns:
        The squares of each image in its views, in order. An image that was decoded once is no reason to stop, so this
        process decodes it where the others die of it.
    """

    def decode(image: ImageFile) -> Squares:
        name, data, views = image
        with stage("decoder"):
            squares = decoder.decode(data, views)
            if isinstance(squares, Rejection):
                picture = decode_image(name, data, limits)
                squares = np.stack([render_view(picture, decoder.size, view) for view in views])
            return squares

    return map_in_parallel(decode, images)


def _embed_squares(backbone: Backbone, squares: Iterator[Pixels], stage: Stage) -> Iterator[Vector]:
    """Embed squares in order, with two batches on the way."""

    def compute(batch: Pixels) -> list[Vector]:
        with stage("network"):
            return backbone.embed_batch(batch)

    with ThreadPoolExecutor(1) as network:
        running: deque[Future[list[Vector]]] = deque()
        while batch := list(islice(squares, backbone.batch)):
            running.append(network.submit(compute, np.stack(batch)))
            if len(running) == _ON_THE_WAY:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()
