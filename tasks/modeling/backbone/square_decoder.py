"""Square decoder: processes that turn image files into the network's squares, and hand them over in shared memory."""

import json
import os
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import astuple, dataclass
from mmap import mmap
from queue import LifoQueue
from tempfile import TemporaryFile
from threading import Lock
from typing import BinaryIO, Self, cast

import numpy as np
from numpy.typing import NDArray

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.domain.images.augmentation import VIEWS, render_view
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.embedding import Stage, decode_image
from tasks.modeling.determinism import map_in_parallel

#: An image's name, its file, and the views that are wanted of it.
ImageFile = tuple[str, bytes, Sequence[str]]
#: Pictures of one image, one a view, of shape (n_views, size, size, 3).
Squares = NDArray[np.uint8]
# What kills a process though the file is harmless, such as a machine out of memory, seldom happens twice.
_TRIES = 2
# A process that gives no answer for so many seconds counts as dead; a hundred megapixels take up to 17.
_SECONDS = 120.0
_MOST_VIEWS = max(map(len, VIEWS.values()))
_LENGTH = struct.Struct("!Q")
_COMMAND = "import json, sys; from tasks.modeling.backbone.square_decoder import serve; serve(*json.loads(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class _Worker:
    """A process that decodes, and the memory that it shares with this one."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    memory: mmap

    def decode(self, image: ImageFile, shape: tuple[int, ...]) -> Squares:
        """Let the process decode an image; raise EOFError where it died, and PedigreeError where the image is bad."""
        _send(self.connection, pickle.dumps(image))
        if problem := _receive(self.connection):
            raise PedigreeError(problem.decode())
        squares = np.frombuffer(self.memory, np.uint8, count=int(np.prod(shape))).reshape(shape)
        return squares.copy()

    def end(self) -> None:
        """Kill the process, unless it is dead already."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.memory.close()


class SquareDecoder:
    """A pool of processes, one for each core, that are started when first needed and again after they died.

    Their memory has no name, so nothing of it is left whoever is killed.
    """

    def __init__(self, size: int, limits: Limits) -> None:
        """Create a pool without processes.

        Args:
            size: The side of a square in pixels.
            limits: Which image files are accepted.
        """
        self._size, self._limits, self._lock, self._closed = size, limits, Lock(), False
        self._alive: set[_Worker] = set()
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(count_cores()):
            self._idle.put(None)

    def __enter__(self) -> Self:
        """Return the pool; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End every process, also busy ones, and start none any more."""
        with self._lock:
            self._closed = True
            for worker in self._alive:
                worker.end()
            self._alive.clear()

    def decode(self, images: Iterable[ImageFile], stage: Stage = lambda _name: nullcontext()) -> Iterator[Squares]:
        """Decode images in all processes, a few images ahead.

        Args:
            images: The images.
            stage: Measures what waiting for the processes takes.

        Returns:
            The squares of each image in its views, in order. Where a process dies on an image twice, this process
            decodes it.
        """

        def measured(image: ImageFile) -> Squares:
            with stage("decoder"):
                return self._decode(image)

        return map_in_parallel(measured, images)

    @property
    def processes(self) -> list[int]:
        """Return the numbers of the processes that are alive."""
        with self._lock:
            return sorted(worker.process.pid for worker in self._alive)

    def _decode(self, image: ImageFile) -> Squares:
        for _ in range(_TRIES):
            with suppress(EOFError, OSError):
                return self._ask(image)
        return render_squares(image, self._size, self._limits)

    def _ask(self, image: ImageFile) -> Squares:
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            return worker.decode(image, (len(image[2]), self._size, self._size, 3))
        except (EOFError, OSError):
            self._lose(worker)
            worker = None
            raise
        finally:
            self._idle.put(worker)

    def _start(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise RuntimeError("the decoder was closed before this image was decoded")
            worker = _start_worker(self._size, self._limits)
            self._alive.add(worker)
        return worker

    def _lose(self, worker: _Worker | None) -> None:
        with self._lock:
            if worker in self._alive and worker:
                self._alive.remove(worker)
                worker.end()


def render_squares(image: ImageFile, size: int, limits: Limits) -> Squares:
    """Decode an image once, and render its views.

    Args:
        image: The image.
        size: The side of a square in pixels.
        limits: Which image files are accepted.

    Returns:
        Its squares, of shape (n_views, size, size, 3).
    """
    name, data, views = image
    picture = decode_image(name, data, limits)
    return np.stack([render_view(picture, size, view) for view in views])


def serve(connection: int, memory: int, size: int, limits: Sequence[int]) -> None:
    """Decode what is asked for until the connection closes.

    Args:
        connection: The number of the socket.
        memory: The number of the shared memory's file.
        size: The side of a square in pixels.
        limits: Which image files are accepted, as numbers.
    """
    with socket.socket(fileno=connection) as asker, mmap(memory, 0) as shared, suppress(EOFError, OSError):
        while True:
            image = cast("ImageFile", pickle.loads(_receive(asker)))  # noqa: S301 - from the process that started this
            try:
                squares = render_squares(image, size, Limits(*limits))
            except PedigreeError as problem:
                _send(asker, str(problem).encode())
                continue
            shared[: squares.nbytes] = squares.tobytes()
            _send(asker, b"")


def _start_worker(size: int, limits: Limits) -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs, _open_memory(_MOST_VIEWS * size * size * 3) as file:
        passed = [theirs.fileno(), file.fileno()]
        process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", _COMMAND, json.dumps([*passed, size, astuple(limits)])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
            pass_fds=passed,
            process_group=0,
        )
        ours.settimeout(_SECONDS)
        return _Worker(process, ours, mmap(file.fileno(), 0))


def _open_memory(size: int) -> BinaryIO:
    """Open memory without a name; where the system knows none, a file that was deleted already."""
    anonymous = hasattr(os, "memfd_create")
    file = cast("BinaryIO", os.fdopen(os.memfd_create("squares"), "r+b") if anonymous else TemporaryFile())  # noqa: SIM115
    file.truncate(size)
    return file


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(data)) + data)


def _receive(connection: socket.socket) -> bytes:
    (size,) = _LENGTH.unpack(_read(connection, _LENGTH.size))
    return _read(connection, size)


def _read(connection: socket.socket, size: int) -> bytes:
    message = bytearray()
    while len(message) < size:
        part = connection.recv(size - len(message))
        if not part:
            raise EOFError
        message += part
    return bytes(message)
