"""Batches: images through the network many at once, in a fixed number that zeros fill up, as a graphics card wants."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np

from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import Backbone, Pixels, Vector
from tasks.modeling.backbone.embedding import Stage
from tasks.modeling.backbone.square_decoder import ImageFile, SquareDecoder

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
    asked: deque[tuple[str, Sequence[str]]] = deque()

    def noted() -> Iterator[ImageFile]:
        for image in images:
            asked.append((image[0], image[2]))
            yield image

    with SquareDecoder(backbone.size, limits) as decoder:
        squares = (square for pictures in decoder.decode(noted(), stage) for square in pictures)
        vectors = _embed_squares(backbone, squares, stage)
        for first in vectors:
            name, views = asked.popleft()
            all_views = [first, *islice(vectors, len(views) - 1)]
            yield [(name, view, vector) for view, vector in zip(views, all_views, strict=True)]


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
