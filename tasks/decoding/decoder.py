"""Decoder: files are examined in processes of their own, so that one on which decoding hangs or dies harms none."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from typing import Self

from configs.errors import PedigreeError
from tasks.decoding.process import Program
from tasks.decoding.process_pool import TRIES, ProcessDiedError, ProcessPool
from tasks.domain.images.image_info import ImageInfo, name_image
from tasks.domain.images.preprocessing import Limits, decoder_versions
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.decoder_protocol import MAX_RESPONSE_BYTES, decoding_memory, parse_responses

Answer = ImageInfo | Rejection

# A hundred megapixels take up to 17 seconds of a busy core. A rejection stands for a week, so a machine that is busy
# with other work must not cause one.
_SECONDS = 60.0
#: Decodes files as a whole.
EXAMINER = "tasks.domain.images.image_info:describe_image"
#: Examines a JPEG by its brightness alone, for stores that are measured so.
BRIGHTNESS_EXAMINER = "tasks.domain.images.image_info:describe_brightness"
_PROGRAM = "tasks.decoding.worker_functions:examine_files"


class Decoder:
    """Processes that examine files."""

    def __init__(self, limits: Limits, examiner: str = EXAMINER, seconds: float = _SECONDS) -> None:
        """Start no process yet.

        Args:
            limits: The largest and smallest pictures that are decoded.
            examiner: The function that examines a file, as ``module:function``.
            seconds: The time that one request may take.
        """
        self._limits, self._seconds = limits, seconds
        self._pool = ProcessPool(Program(_PROGRAM, (examiner, astuple(limits)), decoding_memory(limits)))

    def __enter__(self) -> Self:
        """Return the decoder; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill every process at once, also busy ones; whoever waits for one of them gets a RuntimeError."""
        self._pool.__exit__()

    @property
    def left_open(self) -> Sequence[str]:
        """Return what the kernel could not withhold from the processes, in words."""
        return self._pool.left_open

    def examine(self, files: Sequence[bytes]) -> list[Answer]:
        """Examine files together in the next free process; any number of threads may call this.

        Where one of the files prevents an answer, each is examined by itself.

        Args:
            files: The contents of the files.

        Returns:
            For each file what was measured, or why it is rejected.
        """
        if len(files) > 1:
            with suppress(TimeoutError, ProcessDiedError):
                return self._ask(files)
        return [self._alone(data) for data in files]

    def _alone(self, data: bytes) -> Answer:
        try:
            return self._ask([data])[0]
        except (TimeoutError, ProcessDiedError) as error:
            return explain_failure(error, self._seconds)

    def _ask(self, files: Sequence[bytes]) -> list[Answer]:
        def parse(message: bytes, _read_memory: object) -> list[Answer]:
            descriptions = parse_responses(message, len(files), self._limits)
            return [name_image(data, description) for data, description in zip(files, descriptions, strict=True)]

        return self._pool.ask(files, parse, self._seconds, len(files) * MAX_RESPONSE_BYTES)


def explain_failure(error: TimeoutError | ProcessDiedError, seconds: float) -> Rejection:
    """Return the rejection of a file to which no process gave an answer.

    Args:
        error: What the pool raised.
        seconds: The time that the process had.

    Returns:
        The rejection.
    """
    if isinstance(error, TimeoutError):
        return Rejection(Reason.TOO_SLOW, f"not decoded within {seconds:g} seconds")
    return Rejection(Reason.DECODER_DIED, f"the process that decoded it died, {TRIES} times")


def check_decoders(expected: str) -> None:
    """Check that files are decoded here as by the run: others may reject what it accepts, or see other pixels.

    Args:
        expected: What ``decoder_versions`` says there.

    Raises:
        PedigreeError: The versions differ, or an extra for a format is missing on one side.
    """
    if (installed := decoder_versions()) != expected:
        raise PedigreeError(
            f"Photographs are decoded here by {installed}, and where the run is by {expected}: install the same "
            "packages and extras, and run again."
        )
