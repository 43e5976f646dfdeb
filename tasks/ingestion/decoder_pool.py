"""Worker processes that decode files, so that a file on which the decoder hangs, dies or runs out of memory harms none.

They are plain subprocesses rather than multiprocessing's, since those import the main module again: in a run that
Prefect started, every worker would import Prefect.
"""

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from queue import LifoQueue
from threading import Lock
from time import monotonic
from typing import Self

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.domain.images.image_info import ImageInfo, name_image
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.decoder_protocol import MAX_RESPONSE_BYTES, parse_missing, parse_responses

Answer = ImageInfo | Rejection

# A hundred megapixels take up to 17 seconds of a busy core. A rejection stands for a week, so a machine that is busy
# with other work must not cause one.
_SECONDS = 60.0
# A worker is replaced after this many seconds, which bounds what a hostile file that took it over can do, and how long
# it outlives a run that was killed while the worker was busy.
_LIFE = 300.0
# Python and its libraries are loaded within this time, also on a busy machine.
_START = 120.0
# What kills a worker though the file is harmless, such as a machine out of memory, seldom happens twice.
_TRIES = 2
# Memory is reused for the next picture: to return it to the system and ask for it again costs as much as decoding.
_MEMORY_SETTINGS = {"PILLOW_BLOCKS_MAX": "4", "MALLOC_TOP_PAD_": str(2**26)}
# How a length is sent; tasks.ingestion.decoder_worker, which a run never imports, reads it.
_NUMBER = struct.Struct("!Q")
#: Decodes files as a whole.
EXAMINER = "tasks.domain.images.image_info:describe_image"
#: Examines a JPEG by its brightness alone, for stores that are measured so.
BRIGHTNESS_EXAMINER = "tasks.domain.images.image_info:describe_brightness"
_COMMAND = "import json, sys; from tasks.ingestion.decoder_worker import main; main(*json.loads(sys.argv[1]))"
# What Python itself may need to start; the rest of the environment is withheld from a decoder.
_INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    started: float = field(default_factory=monotonic)

    def ask(self, files: Sequence[bytes], limits: Limits, seconds: float) -> list[Answer]:
        """Send files to the process, and read what it measured.

        Args:
            files: The contents of the files.
            limits: The largest and smallest pictures that are decoded.
            seconds: The time that all of them together may take.

        Returns:
            One answer for each file.

        Raises:
            EOFError: The process died, or its answer is no valid one.
            OSError: The process does not answer in time, or the connection broke.
        """
        deadline = monotonic() + seconds
        self._send(b"".join(map(_NUMBER.pack, (len(files), *map(len, files)))), deadline)
        for data in files:
            self._send(data, deadline)
        try:
            descriptions = parse_responses(
                self.read_message(deadline, len(files) * MAX_RESPONSE_BYTES), len(files), limits
            )
        except ValueError as error:
            raise EOFError from error
        return [name_image(data, description) for data, description in zip(files, descriptions, strict=True)]

    def read_message(self, deadline: float, most: int) -> bytes:
        """Read one message.

        Args:
            deadline: When to give up, on the monotonic clock in seconds.
            most: The largest message in bytes.

        Returns:
            The message.

        Raises:
            EOFError: The process died, or announces a larger message.
        """
        size: int = _NUMBER.unpack(self._receive(_NUMBER.size, deadline))[0]
        if size > most:
            raise EOFError
        return self._receive(size, deadline)

    def _send(self, data: bytes, deadline: float) -> None:
        self._wait_until(deadline)
        self.connection.sendall(data)

    def _receive(self, size: int, deadline: float) -> bytes:
        message = bytearray()
        while len(message) < size:
            self._wait_until(deadline)
            part = self.connection.recv(size - len(message))
            if not part:
                raise EOFError
            message += part
        return bytes(message)

    def _wait_until(self, deadline: float) -> None:
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError
        self.connection.settimeout(remaining)

    def end(self) -> None:
        """Kill the process, unless it is dead already; its end of the connection closes with it."""
        self.process.kill()
        self.process.wait()


class Decoder:
    """A pool of worker processes, one for each core, started when first needed and again after they died.

    Attributes:
        left_open: What the kernel could not withhold from the workers, in words.
    """

    def __init__(self, limits: Limits, examiner: str = EXAMINER, seconds: float = _SECONDS) -> None:
        """Create a pool without processes.

        Args:
            limits: The largest and smallest pictures that are decoded.
            examiner: The function that examines a file, as ``module:function``.
            seconds: The time that one request may take.
        """
        self._limits, self._examiner, self._seconds = limits, examiner, seconds
        self.left_open: Sequence[str] = ()
        self._lock, self._closed = Lock(), False
        self._alive: set[_Worker] = set()
        # The worker that came back last is taken first, so that few files start few processes.
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(count_cores()):
            self._idle.put(None)

    def __enter__(self) -> Self:
        """Return the pool; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill every process at once, also busy ones; whoever waits for one of them gets a RuntimeError."""
        with self._lock:
            self._closed = True
            for worker in self._alive:
                worker.end()

    def examine(self, files: Sequence[bytes]) -> list[Answer]:
        """Examine files together in the next free process; any number of threads may call this.

        Where one of the files prevents an answer, each is examined by itself.

        Args:
            files: The contents of the files.

        Returns:
            For each file what was measured, or why it is rejected.
        """
        if len(files) > 1:
            with suppress(EOFError, OSError):
                return self._ask(files)
        return [self._alone(data) for data in files]

    def _alone(self, data: bytes) -> Answer:
        for _ in range(_TRIES):
            try:
                return self._ask([data])[0]
            except TimeoutError:
                return Rejection(Reason.TOO_SLOW, f"not decoded within {self._seconds:g} seconds")
            except (EOFError, OSError):
                continue
        return Rejection(Reason.DECODER_DIED, f"the process that decoded it died, {_TRIES} times")

    def _ask(self, files: Sequence[bytes]) -> list[Answer]:
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            try:
                answers = worker.ask(files, self._limits, self._seconds)
            except (EOFError, OSError):
                self._lose(worker)
                worker = None
                raise
            if monotonic() - worker.started > _LIFE:
                self._lose(worker)
                worker = None
            return answers
        finally:
            self._idle.put(worker)

    def _start(self) -> _Worker:
        try:
            with self._lock:
                self._check_open()
                worker = _start_worker(self._arguments())
                self._alive.add(worker)
        except OSError as error:
            raise PedigreeError(f"A process that decodes photographs does not start ({error.strerror}).") from error
        try:
            self.left_open = parse_missing(worker.read_message(monotonic() + _START, MAX_RESPONSE_BYTES))
        except (EOFError, OSError, ValueError) as error:
            self._lose(worker)
            raise PedigreeError(
                "A process that decodes photographs does not start; what it wrote above says why."
            ) from error
        return worker

    def _arguments(self) -> list[object]:
        most = (_LIFE + _START + self._seconds) * (1 + count_cores())
        return [self._examiner, [self._limits.max_bytes, self._limits.max_pixels, self._limits.min_side], ceil(most)]

    def _lose(self, worker: _Worker) -> None:
        with self._lock:
            self._check_open()
            self._alive.remove(worker)
            worker.end()
            worker.connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the decoder was closed before this file was examined")


def _start_worker(arguments: Sequence[object]) -> _Worker:
    parent_end, child_end = socket.socketpair()
    with child_end:
        process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", _COMMAND, json.dumps([child_end.fileno(), *arguments])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_worker_environment(),
            pass_fds=[child_end.fileno()],
            # Ctrl-C at a terminal is meant for the run; a worker that it killed would look like a hostile file.
            process_group=0,
        )
    return _Worker(process, parent_end)


def _worker_environment() -> dict[str, str]:
    """Return the few variables that a worker gets of the run's environment, which may hold passwords and keys."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1", **_MEMORY_SETTINGS}
