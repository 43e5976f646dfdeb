"""Worker processes that examine files: one that makes the decoder hang, die or devour memory costs only itself.

They are plain subprocesses and not multiprocessing's, since those import the main module again: in a night that Prefect
started, that is Prefect itself in every worker.
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

from configs.errors import PedigreeError
from tasks.domain.images.image_info import ImageInfo, name_image
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.decoder_protocol import MAX_RESPONSE_BYTES, parse_missing, parse_responses

Answer = ImageInfo | Rejection

# A hundred megapixels take up to 17 seconds of a busy core. A rejection stands for a week, so a
# machine that has other things to do must not cause one.
_SECONDS = 60.0
# A worker is replaced after so many seconds, which bounds what one that was taken over can do, and how long one lives
# whose night was killed while it was busy.
_LIFE = 300.0
# Python and its libraries are loaded by then, also on a machine that has other things to do.
_START = 120.0
# What kills an innocent file's worker, such as a machine out of memory, seldom happens twice.
_TRIES = 2
# Memory is used again for the next picture: given back to the system and taken anew, it costs as much as decoding.
_MEMORY_SETTINGS = {"PILLOW_BLOCKS_MAX": "4", "MALLOC_TOP_PAD_": str(2**26)}
# How a length is sent; tasks.ingestion.decoder_worker, which the night never imports, reads it.
_NUMBER = struct.Struct("!Q")
_EXAMINER = "tasks.domain.images.image_info:describe_image"
_COMMAND = "import json, sys; from tasks.ingestion.decoder_worker import main; main(*json.loads(sys.argv[1]))"
# What Python itself may need to start; everything else in the environment is none of a decoder's business.
_INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    started: float = field(default_factory=monotonic)

    def ask(self, files: Sequence[bytes], limits: Limits, seconds: float) -> list[Answer]:
        """Have files examined; raise TimeoutError, or another OSError or EOFError where the process died or babbles."""
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
        """Wait for one message of so many bytes at most."""
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
        """Kill the process, if it is not dead yet; its end of the connection closes with it."""
        self.process.kill()
        self.process.wait()


class Decoder:
    """As many worker processes as there are cores; each is started when first needed, and anew after it died."""

    def __init__(self, limits: Limits, examiner: str = _EXAMINER, seconds: float = _SECONDS) -> None:
        """Say what is refused undecoded, how long examining may take, and which ``module:function`` does it."""
        self._limits, self._examiner, self._seconds = limits, examiner, seconds
        self.left_open: Sequence[str] = ()
        self._lock, self._closed = Lock(), False
        self._alive: set[_Worker] = set()
        # The worker that came back last is taken first, so that few files start few processes.
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(_cores()):
            self._idle.put(None)

    def __enter__(self) -> Self:
        """Begin; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End every process at once, also those at work; whoever waits for one of them gets a RuntimeError."""
        with self._lock:
            self._closed = True
            for worker in self._alive:
                worker.end()

    def examine(self, files: Sequence[bytes]) -> list[Answer]:
        """Have files examined together by the next free process; any number of threads may call this.

        Where one of them keeps the others from an answer, each is examined by itself.
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
        most = (_LIFE + _START + self._seconds) * (1 + _cores())
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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker(arguments: Sequence[object]) -> _Worker:
    parent_end, child_end = socket.socketpair()
    with child_end:
        process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", _COMMAND, json.dumps([child_end.fileno(), *arguments])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_worker_environment(),
            pass_fds=[child_end.fileno()],
            # Ctrl-C at a terminal is for the night; a worker that it killed would look like a file that kills.
            process_group=0,
        )
    return _Worker(process, parent_end)


def _worker_environment() -> dict[str, str]:
    """Name all that a worker knows of the night's environment, which may hold the keys to everything else."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1", **_MEMORY_SETTINGS}
