"""What a decoding process does that a file has taken over: each file names a deed, and the answer says what came of it.

A real worker process runs this in the decoder's place.
"""

import ctypes
import json
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from mmap import mmap
from pathlib import Path

from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection

EXAMINER = "tests.tasks.decoding.hostile_worker:taken_over"
_LIBRARY = ctypes.CDLL(None, use_errno=True)
_ATTACH, _NEW_USER = 16, 0x10000000


def taken_over(data: bytes, _limits: Limits) -> Rejection:
    """Do what the file says: a deed, a space and what it is done to; an OSError is how the kernel says no."""
    deed, _, argument = data.rstrip(b"\0").decode().partition(" ")
    try:
        return Rejection(Reason.EMPTY, f"did {DEEDS[deed](argument)}")
    except (OSError, ValueError) as error:
        return Rejection(Reason.EMPTY, f"refused {type(error).__name__}")


class Evil:
    """What creates a file in whatever process unpickles it."""

    def __init__(self, path: str) -> None:
        """Say which file."""
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        """Be a call of open."""
        return open, (self._path, "w")


def shrink_memory(_size: int, _limits: Sequence[int], _memory: mmap) -> Callable[[list[bytes]], bytes]:
    """Build a function that takes away the memory that it shares, and says that all squares are in it."""
    # Before the doors are shut: the kernel's filter forbids it afterwards.
    os.ftruncate(json.loads(sys.argv[1])[1], 0)
    return lambda _question: b"null"


def die_of_squares(_size: int, _limits: Sequence[int], _memory: mmap) -> Callable[[list[bytes]], bytes]:
    """Build a function that kills its process."""
    return lambda _question: os._exit(1)


def _send(message: bytes, length: int | None = None) -> None:
    """Write a message of a given length past the worker's own answer."""
    handle = json.loads(sys.argv[1])[0]
    os.write(handle, struct.pack("!Q", len(message) if length is None else length) + message)


def _pause(_argument: str) -> None:
    _send(b"[", length=100)
    time.sleep(60)


def _lie(argument: str) -> None:
    _send(argument.encode())
    time.sleep(60)


def _rush(path: str) -> None:
    os.write(json.loads(sys.argv[1])[0], path.encode() * 100)
    os._exit(0)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno())
    return result


def _fork(_argument: str) -> int:
    child = os.fork()
    if not child:
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _connect(kind: int, address: str) -> None:
    host, port = address.split(":")
    with socket.socket(socket.AF_INET, kind) as connection:
        connection.connect((host, int(port)))
        connection.send(b"secret")


DEEDS: dict[str, Callable[[str], object]] = {
    "fine": str,
    "environment": lambda _: " ".join(sorted(os.environ)),
    "read": lambda path: Path(path).read_bytes()[:20],
    "list": os.listdir,
    "write": lambda path: Path(path).write_text("pwned"),
    "delete": os.unlink,
    "rename": lambda path: os.rename(path, f"{path}.moved"),  # noqa: PTH104 - one call to the kernel
    "folder": os.mkdir,
    "link": lambda path: os.symlink("/etc/passwd", path),  # noqa: PTH211 - one call to the kernel
    "mode": lambda path: os.chmod(path, 0o777),  # noqa: PTH101, S103 - one call to the kernel
    "times": os.utime,
    "connect": lambda address: _connect(socket.SOCK_STREAM, address),
    "datagram": lambda address: _connect(socket.SOCK_DGRAM, address),
    "listen": lambda _: socket.create_server(("127.0.0.1", 0)),
    "abstract": lambda name: socket.socket(socket.AF_UNIX).connect(f"\0{name}"),
    "signal": lambda _: os.kill(os.getppid(), 0),
    "signal-all": lambda _: os.kill(-1, 0),
    "signal-group": lambda _: os.kill(0, signal.SIGCONT),
    "trace": lambda _: _checked(_LIBRARY.ptrace(_ATTACH, os.getppid(), None, None)),
    "memory": lambda _: Path(f"/proc/{os.getppid()}/mem").open("rb").close(),
    "its-environment": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "more-files": lambda _: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    "more-memory": lambda _: resource.setrlimit(resource.RLIMIT_DATA, (2**40, 2**40)),
    "more-time": lambda _: resource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6)),
    "more-nothing": lambda _: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
    "fork": _fork,
    "run": lambda _: subprocess.run(["/bin/true"], check=False),
    "become": lambda _: os.execv("/bin/true", ["true"]),  # noqa: S606 - that it fails is the point
    "namespace": lambda _: _checked(_LIBRARY.unshare(_NEW_USER)),
    "user": lambda _: os.setuid(12345),
    "lie": _lie,
    "deaf": _lie,
    "pickle": lambda path: _send(pickle.dumps(Evil(path))),
    "long": lambda _: _send(b"x", length=2**60),
    "half": _pause,
    "rush": _rush,
    "big": lambda _: _send(b"[" * 10**5),
}
