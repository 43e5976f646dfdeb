"""Picture cleaner: strangers' photographs are written anew in a process of their own, so that only pixels are left."""

import struct
from collections.abc import Callable
from dataclasses import astuple
from typing import Self

from tasks.decoding.decoder import explain_failure
from tasks.decoding.process import Program
from tasks.decoding.process_pool import ProcessDiedError, ProcessPool
from tasks.decoding.worker_functions import CLEAN_BYTES
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Rejection
from tasks.domain.ingestion.decoder_protocol import MAX_RESPONSE_BYTES, decoding_memory, parse_refusal

_PROGRAM = "tasks.decoding.worker_functions:clean_pictures"
_SIZE = struct.Struct("!Q")


class PictureCleaner:
    """Processes that write pictures anew as upright JPEGs without any metadata: no place, time, name or preview."""

    def __init__(self, limits: Limits, seconds: float) -> None:
        """Start no process yet.

        Args:
            limits: Which image files are accepted.
            seconds: How long one file may take.
        """
        self._seconds = seconds
        self._pool = ProcessPool(Program(_PROGRAM, (astuple(limits),), decoding_memory(limits), CLEAN_BYTES))

    def __enter__(self) -> Self:
        """Return the cleaner; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill every process."""
        self._pool.__exit__()

    def clean(self, data: bytes) -> bytes | Rejection:
        """Write a picture anew.

        Args:
            data: The bytes of its file.

        Returns:
            A JPEG of what the file shows, or why it is rejected.
        """

        def parse(message: bytes, read_memory: Callable[[int], bytes]) -> bytes | Rejection:
            if refusal := parse_refusal(message):
                return refusal
            (size,) = _SIZE.unpack(read_memory(_SIZE.size))
            if not 0 < size <= CLEAN_BYTES - _SIZE.size:
                raise ValueError(size)
            return read_memory(_SIZE.size + size)[_SIZE.size :]

        try:
            return self._pool.ask([data], parse, self._seconds, MAX_RESPONSE_BYTES)
        except (TimeoutError, ProcessDiedError) as error:
            return explain_failure(error, self._seconds)
