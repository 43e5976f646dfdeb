"""The program of a decoding process: it gives up nearly all rights, then answers questions as they come.

Files arrive as bytes behind their lengths, and answers leave as JSON or as pixels, so that neither side can make the
other run code.
"""

import json
import os
import resource
import struct
import sys
from collections.abc import Callable, Sequence
from mmap import mmap
from typing import BinaryIO

from tasks.decoding.sandbox import limit, lock_down
from tasks.decoding.worker_functions import load_function

Answer = Callable[[list[bytes]], bytes]

_NUMBER = struct.Struct("!Q")


def main(handle: int, memory: int, function: str, options: Sequence[object], most: int, processor_seconds: int) -> None:
    """Answer until whoever holds the connection's other end closes it.

    Args:
        handle: The number of this process's end of the connection.
        memory: The number of the file that holds the shared memory.
        function: What builds the function that answers, as ``module:function``; it loads all that this one needs, for
            no file can be opened afterwards.
        options: Its arguments.
        most: The most memory that the process may use, in bytes.
        processor_seconds: The CPU time that the process may use in its life.
    """
    shared = [mmap(memory, 0)] if os.fstat(memory).st_size else []
    answer: Answer = load_function(function)(*options, *shared)
    os.close(memory)
    with open(handle, "rb") as questions, open(handle, "wb", closefd=False) as answers:
        _silence()
        limit(resource.RLIMIT_DATA, most)
        limit(resource.RLIMIT_CPU, processor_seconds)
        _send(answers, json.dumps(lock_down()).encode())
        while count := _read_number(questions):
            sizes = [_read_number(questions) for _ in range(count)]
            _send(answers, answer([_read_exactly(questions, size) for size in sizes]))


def _silence() -> None:
    """Discard standard error, where from here on only libraries would complain about bad files."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


def _read_number(questions: BinaryIO) -> int:
    """Read a number; return 0 where the other side has closed the connection."""
    data = questions.read(_NUMBER.size)
    return int(_NUMBER.unpack(data)[0]) if data else 0


def _read_exactly(questions: BinaryIO, size: int) -> bytes:
    data = questions.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _send(answers: BinaryIO, message: bytes) -> None:
    answers.write(_NUMBER.pack(len(message)) + message)
    answers.flush()
