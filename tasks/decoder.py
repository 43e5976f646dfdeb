"""Worker processes that examine files: one that makes the decoder hang, die or devour memory costs only itself.

They are plain subprocesses and not multiprocessing's, since those import the main module again: in a night that Prefect
started, that is Prefect itself in every worker.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import LifoQueue
from threading import Lock
from typing import Self, cast

from configs.problems import Problem
from tasks.domain.examination import Examined, examine
from tasks.domain.pixels import Limits
from tasks.domain.rejections import Reason, Rejection, first_line

Answer = Examined | Rejection
Examiner = Callable[[bytes, Limits], Answer]

# A hundred megapixels take up to 17 seconds of a busy core (docs/decisions.md). A rejection stands for a week, so a
# machine that has other things to do must not cause one.
_SECONDS = 60.0
# 31 were measured for HEIC and AVIF, where decoded planes, the library's copy, Pillow's, the upright one and the one
# in sRGB are held at once; other formats need 14 to 19.
_BYTES_A_PIXEL = 40
# Python, Pillow, NumPy and SciPy with room to work.
_FLOOR = 2**29
# What kills an innocent file's worker, such as a machine out of memory, seldom happens twice.
_TRIES = 2
# Memory is used again for the next picture: given back to the system and taken anew, it costs as much as decoding.
_KEPT = {"PILLOW_BLOCKS_MAX": "4", "MALLOC_TOP_PAD_": str(2**26)}
_COMMAND = "import sys; from tasks.decoder import work; work(int(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection

    def ask(self, files: Sequence[bytes], seconds: float) -> list[Answer]:
        """Have files examined; raise TimeoutError, or another OSError or EOFError where the process died."""
        self.connection.send(len(files))
        for data in files:
            self.connection.send_bytes(data)
        if not self.connection.poll(seconds):
            raise TimeoutError
        return cast("list[Answer]", self.connection.recv())

    def end(self) -> None:
        """Kill the process, if it is not dead yet; its end of the connection closes with it."""
        self.process.kill()
        self.process.wait()


class Decoder:
    """As many worker processes as there are cores; each is started when first needed, and anew after it died."""

    def __init__(self, limits: Limits, examiner: Examiner = examine, seconds: float = _SECONDS) -> None:
        """Say what is refused undecoded, what is done to each file, and how long that may take."""
        self._task = (examiner, limits, seconds)
        self._seconds = seconds
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
                return worker.ask(files, self._seconds)
            except (EOFError, OSError):
                self._lose(worker)
                worker = None
                raise
        finally:
            self._idle.put(worker)

    def _start(self) -> _Worker:
        try:
            with self._lock:
                self._check_open()
                worker = _started()
                self._alive.add(worker)
        except OSError as error:
            raise Problem(f"A process that decodes photographs does not start ({error.strerror}).") from error
        try:
            worker.connection.send(self._task)
            worker.connection.recv_bytes()
        except (EOFError, OSError) as error:
            self._lose(worker)
            raise Problem("A process that decodes photographs does not start; what it wrote above says why.") from error
        return worker

    def _lose(self, worker: _Worker) -> None:
        with self._lock:
            self._check_open()
            self._alive.remove(worker)
            worker.end()
            worker.connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the decoder was closed before this file was examined")


def work(handle: int) -> None:
    """Examine files as they come, in a worker process, for whoever holds the connection's other end."""
    with Connection(handle) as connection, open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device, not a file
        examiner, limits, seconds = connection.recv()
        memory = _FLOOR + 3 * limits.max_bytes + _BYTES_A_PIXEL * limits.max_pixels
        _limit(resource.RLIMIT_DATA, memory)
        _limit(resource.RLIMIT_CORE, 0)
        connection.send_bytes(b"started")
        # From here on only the libraries' grumbling about bad files could be written.
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
        with suppress(EOFError, ConnectionError):
            while True:
                files = [connection.recv_bytes() for _ in range(connection.recv())]
                _limit(resource.RLIMIT_CPU, _seconds_used() + ceil(seconds * (1 + _cores())))
                connection.send([_answer(examiner, data, limits) for data in files])


def _answer(examiner: Examiner, data: bytes, limits: Limits) -> Answer:
    try:
        return examiner(data, limits)
    except MemoryError:
        return Rejection(Reason.TOO_MUCH_MEMORY, "it needs more memory than a picture of the allowed size")
    except Exception as error:  # noqa: BLE001 - whatever a hostile file brings about, it costs only itself
        return Rejection(Reason.DECODER_DIED, f"the decoder failed ({first_line(error)})")


def _limit(kind: int, most: int) -> None:
    """Lower a limit of this process, as far as the machine's own allows."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _seconds_used() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return ceil(used.ru_utime + used.ru_stime)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _started() -> _Worker:
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", _COMMAND, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1", **_KEPT},
            pass_fds=[theirs.fileno()],
            # Ctrl-C at a terminal is for the night; a worker that it killed would look like a file that kills.
            process_group=0,
        )
    return _Worker(process, ours)
