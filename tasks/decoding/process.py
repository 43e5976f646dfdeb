"""One process that answers questions about untrusted bytes: how it is started, asked and ended.

It is a plain subprocess rather than multiprocessing's, since those import the main module again: in a run that Prefect
started, every process would import Prefect.
"""

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from time import monotonic
from typing import BinaryIO, cast

# Memory is reused for the next picture: to return it to the system and ask for it again costs as much as decoding.
_MEMORY_SETTINGS = {"PILLOW_BLOCKS_MAX": "4", "MALLOC_TOP_PAD_": str(2**26)}
# How a length is sent; tasks.decoding.worker, which is never imported here, reads it.
_NUMBER = struct.Struct("!Q")
_COMMAND = "import json, sys; from tasks.decoding.worker import main; main(*json.loads(sys.argv[1]))"
# What Python itself may need to start; the rest of the environment is withheld from a decoder.
_INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class Program:
    """What a process runs, and how much it may use.

    Attributes:
        function: What builds the function that answers, as ``module:function``; ``tasks.decoding.worker`` calls it.
        options: Its arguments, as JSON can hold them.
        memory: The most memory of its own, in bytes.
        shared: The bytes of memory that it shares with this process; where there are any, they are the last argument.
    """

    function: str
    options: tuple[object, ...]
    memory: int
    shared: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    """A process that waits for questions.

    Attributes:
        popen: The process.
        connection: This side of the connection to it.
        memory: The memory that it shares with this process.
        started: When it was started, on the monotonic clock in seconds.
    """

    popen: subprocess.Popen[bytes]
    connection: socket.socket
    memory: BinaryIO
    started: float = field(default_factory=monotonic)

    def ask(self, parts: Sequence[bytes], deadline: float, most: int) -> bytes:
        """Send a question to the process, and read its answer.

        Args:
            parts: The question.
            deadline: When to give up, on the monotonic clock in seconds.
            most: The largest message in bytes.

        Returns:
            The message of the process.
        """
        self._send(b"".join(map(_NUMBER.pack, (len(parts), *map(len, parts)))), deadline)
        for part in parts:
            self._send(part, deadline)
        return self.read_message(deadline, most)

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

    def read_memory(self, size: int) -> bytes:
        """Return a copy of the first bytes of the shared memory; fewer where the process has made it smaller.

        A process that a file took over may shrink the memory: a mapping of it would then kill whoever looks.
        """
        return os.pread(self.memory.fileno(), size, 0)

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

    def kill(self) -> None:
        """Kill the process, unless it is dead already; its end of the connection closes with it."""
        self.popen.kill()
        self.popen.wait()

    def close(self) -> None:
        """Kill the process and release this side's end of the connection and the memory."""
        self.kill()
        self.connection.close()
        self.memory.close()


def start_process(program: Program, processor_seconds: int) -> Process:
    """Start a process; its first message says what the kernel could not withhold from it.

    Args:
        program: What it runs.
        processor_seconds: The CPU time that it may use in its life.

    Returns:
        The process.
    """
    with ExitStack() as opened:
        near, far = socket.socketpair()
        opened.enter_context(far)
        opened.callback(near.close)
        memory = opened.enter_context(_open_memory(program.shared))
        handles = [far.fileno(), memory.fileno()]
        arguments = [*handles, program.function, program.options, program.memory, processor_seconds]
        popen = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", _COMMAND, json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            pass_fds=handles,
            # Ctrl-C at a terminal is meant for the run; a process that it killed would look like a hostile file.
            process_group=0,
        )
        opened.pop_all()
    far.close()
    return Process(popen, near, memory)


def _open_memory(size: int) -> BinaryIO:
    """Open memory without a name; where the system knows none, a file that was deleted already."""
    anonymous = hasattr(os, "memfd_create")
    file = cast("BinaryIO", os.fdopen(os.memfd_create("squares"), "r+b") if anonymous else TemporaryFile())  # noqa: SIM115
    file.truncate(size)
    return file


def _environment() -> dict[str, str]:
    """Return the few variables that a process gets of the run's environment, which may hold passwords and keys."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1", **_MEMORY_SETTINGS}
