"""A pool of processes that answer questions about untrusted bytes: what one of them does harms only itself."""

from collections.abc import Callable, Sequence
from math import ceil
from queue import LifoQueue
from threading import Lock
from time import monotonic
from typing import Self, TypeVar

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.decoding.process import Process, Program, start_process
from tasks.domain.ingestion.decoder_protocol import MAX_RESPONSE_BYTES, parse_missing

Answer = TypeVar("Answer")
#: Makes an answer of a process's message and of what copies its shared memory; with a ValueError it refuses them.
Parse = Callable[[bytes, Callable[[int], bytes]], Answer]

#: No question may take longer, in seconds.
LONGEST = 120.0
# A process is replaced after this many seconds, which bounds what a hostile file that took it over can do, and how long
# it outlives a run that was killed while the process was busy.
_LIFE = 300.0
# Python and its libraries are loaded within this time, also on a busy machine.
_START = 120.0
#: What kills a process though the file is harmless, such as a machine out of memory, seldom happens twice.
TRIES = 2


class ProcessDiedError(Exception):
    """The process that was asked died or gave an impossible answer, and so did the next one."""


class ProcessPool:
    """As many processes as there are cores, started when first needed and again after they died or were killed.

    It can stay open for as long as this process lives: none of its processes gets older than five minutes of work, none
    may use more memory than its program says, and each holds one question at a time.

    Attributes:
        left_open: What the kernel could not withhold from the processes, in words.
    """

    def __init__(self, program: Program) -> None:
        """Create a pool without processes.

        Args:
            program: What the processes run.
        """
        self._program = program
        self.left_open: Sequence[str] = ()
        self._lock, self._closed = Lock(), False
        self._alive: dict[int, Process] = {}
        # The process that came back last is taken first, so that few questions start few processes.
        self._idle: LifoQueue[Process | None] = LifoQueue()
        for _ in range(count_cores()):
            self._idle.put(None)

    def __enter__(self) -> Self:
        """Return the pool; no process is started yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill every process at once, also busy ones; whoever waits for one of them gets a RuntimeError."""
        with self._lock:
            self._closed = True
            for process in self._alive.values():
                process.kill()
            self._alive.clear()

    @property
    def processes(self) -> list[int]:
        """Return the numbers of the processes that are alive."""
        with self._lock:
            return sorted(self._alive)

    def ask(self, parts: Sequence[bytes], parse: Parse[Answer], seconds: float, most: int) -> Answer:
        """Ask the next free process; any number of threads may call this.

        Args:
            parts: The question.
            parse: Makes the answer of what the process sends.
            seconds: How long a process may take, at most ``LONGEST``; then it is killed. Waiting for one that is free
                does not count.
            most: The largest message in bytes.

        Returns:
            The answer.

        Raises:
            TimeoutError: The process took too long.
            ProcessDiedError: Two processes died of the question, or gave an impossible answer.
        """
        for _ in range(TRIES):
            try:
                return self._ask_next(parts, parse, seconds, most)
            except TimeoutError:
                raise
            except (EOFError, OSError, ValueError):
                continue
        raise ProcessDiedError

    def _ask_next(self, parts: Sequence[bytes], parse: Parse[Answer], seconds: float, most: int) -> Answer:
        process = self._idle.get()
        try:
            process = process or self._start()
            try:
                message = process.ask(parts, monotonic() + min(seconds, LONGEST), most)
                answer = parse(message, process.read_memory)
            except (EOFError, OSError, ValueError):
                self._lose(process)
                process = None
                raise
            if monotonic() - process.started > _LIFE:
                self._lose(process)
                process = None
            return answer
        finally:
            self._idle.put(process)

    def _start(self) -> Process:
        try:
            with self._lock:
                self._check_open()
                process = start_process(self._program, ceil((_LIFE + _START + LONGEST) * (1 + count_cores())))
                self._alive[process.popen.pid] = process
        except OSError as error:
            raise PedigreeError(f"A process that decodes photographs does not start ({error.strerror}).") from error
        try:
            self.left_open = parse_missing(process.read_message(monotonic() + _START, MAX_RESPONSE_BYTES))
        except (EOFError, OSError, ValueError) as error:
            self._lose(process)
            raise PedigreeError(
                "A process that decodes photographs does not start; what it wrote above says why."
            ) from error
        return process

    def _lose(self, process: Process) -> None:
        with self._lock:
            self._check_open()
            del self._alive[process.popen.pid]
            process.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the decoder was closed before this file was examined")
