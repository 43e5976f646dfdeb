"""Square decoder: processes turn image files into the network's squares, and hand them over in shared memory."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tasks.decoding.decoder import explain_failure
from tasks.decoding.process import Program
from tasks.decoding.process_pool import LONGEST, ProcessDiedError, ProcessPool
from tasks.domain.images.augmentation import IDENTITY, VIEWS
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Rejection
from tasks.domain.ingestion.decoder_protocol import MAX_RESPONSE_BYTES, decoding_memory, parse_refusal

#: Pictures of one image, one a view, of shape (n_views, size, size, 3).
Squares = NDArray[np.uint8]
_MOST_VIEWS = max(map(len, VIEWS.values()))
_PROGRAM = "tasks.decoding.worker_functions:render_squares"


class SquareDecoder:
    """Processes that decode files. Their memory has no name, so nothing of it is left whoever is killed.

    Attributes:
        size: The side of a square in pixels.
    """

    def __init__(self, size: int, limits: Limits) -> None:
        """Start no process yet.

        Args:
            size: The side of a square in pixels.
            limits: Which image files are accepted.
        """
        self.size = size
        options, shared = (size, astuple(limits)), _MOST_VIEWS * size * size * 3
        self._pool = ProcessPool(Program(_PROGRAM, options, decoding_memory(limits), shared))

    def __enter__(self) -> Self:
        """Return the decoder; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill every process at once, also busy ones; whoever waits for one of them gets a RuntimeError."""
        self._pool.__exit__()

    @property
    def processes(self) -> list[int]:
        """Return the numbers of the processes that are alive."""
        return self._pool.processes

    def decode(self, data: bytes, views: Sequence[str] = (IDENTITY,), seconds: float = LONGEST) -> Squares | Rejection:
        """Decode a file in the next free process; any number of threads may call this.

        Args:
            data: The bytes of the file.
            views: The views that are wanted of it, each a name in ``VIEWS``.
            seconds: How long a process may take; then it is killed.

        Returns:
            The squares, of shape (n_views, size, size, 3), or why the file is rejected.
        """
        shape = (len(views), self.size, self.size, 3)

        def parse(message: bytes, read_memory: Callable[[int], bytes]) -> Squares | Rejection:
            if refusal := parse_refusal(message):
                return refusal
            return np.frombuffer(read_memory(math.prod(shape)), np.uint8).reshape(shape)

        try:
            return self._pool.ask([json.dumps(list(views)).encode(), data], parse, seconds, MAX_RESPONSE_BYTES)
        except (TimeoutError, ProcessDiedError) as error:
            return explain_failure(error, seconds)
