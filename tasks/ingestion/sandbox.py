"""What a process gives up before it touches a stranger's bytes: files, network, other processes, its own limits.

The kernel is asked by ctypes: nothing has to be installed, and no right is needed. Where it lacks something the process
goes on without, and says so. Only Linux has most of it.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

# linux/prctl.h
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_CAPABILITIES = 64
# linux/capability.h: its third version takes two sets of three numbers.
_CAPABILITY_VERSION = 0x20080522
# linux/landlock.h; Landlock came after the numbers of system calls were made the same on all machines.
_CREATE_RULESET, _RESTRICT_SELF, _ABI_VERSION = 444, 446, 1
# So many rights over files are known to each version of Landlock: all of them are given up, and none is granted.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_FILE_RIGHTS = 16
_NET_SINCE, _NET_RIGHTS = 4, 0b11
_SCOPES_SINCE, _SCOPES = 6, 0b11
# linux/seccomp.h, linux/filter.h
_FILTER, _ALL_THREADS, _UNSLOWED = 1, 1, 4
_LOAD, _JUMP_IF, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x10000
# What decoding consists of, by the numbers of both machines: memory, locks, clocks, what is already open, the end.
_ALLOWED = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "sched_getaffinity": (204, 123),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "rt_sigreturn": (15, 139),
    "rt_sigprocmask": (14, 135),
    "rt_sigaction": (13, 134),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
_CLONE, _CLONE3, _SIGNALS, _SECCOMP = (56, 220), (435, 435), ((62, 129), (234, 131)), (317, 277)
# The kernel's own name for each machine, AUDIT_ARCH, in the order of the numbers above.
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def lock_down() -> list[str]:
    """Give up, for good, all that decoding does not need.

    Whatever is to be imported has been imported before: no file can be opened afterwards.

    Returns:
        What this kernel leaves open, in words; empty where everything is shut.
    """
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if library:
        _give_up_rights(library)
    walled = library is not None and _landlock(library)
    # No new descriptor is no new file and no new connection, on every system.
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        limit(kind, 0)
    filtered = library is not None and _seccomp(library)
    left_open = [] if walled or filtered else ["files"]
    return left_open if filtered else [*left_open, "other processes"]


def limit(kind: int, most: int) -> None:
    """Lower a limit of this process for good, as far as the machine's own allows."""
    _, hard = resource.getrlimit(kind)
    lowered = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (lowered, lowered))


def _give_up_rights(library: ctypes.CDLL) -> None:
    """Drop every capability of root, and whatever a program that is started could bring back."""
    for capability in range(_CAPABILITIES):
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    library.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24))
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _landlock(library: ctypes.CDLL) -> bool:
    """Refuse every file, and from its fourth and sixth version TCP and signals to others."""
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ABI_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_RIGHTS.get(version, _NEWEST_FILE_RIGHTS)) - 1
    ruleset = struct.pack("Q", files)
    if version >= _NET_SINCE:
        ruleset += struct.pack("Q", _NET_RIGHTS)
    if version >= _SCOPES_SINCE:
        ruleset += struct.pack("Q", _SCOPES)
    handle = library.syscall(_CREATE_RULESET, ruleset, ctypes.c_size_t(len(ruleset)), 0)
    if handle < 0:
        return False
    try:
        return bool(library.syscall(_RESTRICT_SELF, handle, 0) == 0)
    finally:
        with suppress(OSError):
            os.close(handle)


def _seccomp(library: ctypes.CDLL) -> bool:
    """Refuse every call to the kernel that is not on the short list."""
    if platform.machine() not in _MACHINES:
        return False
    column = list(_MACHINES).index(platform.machine())
    program = b"".join(_filter(_MACHINES[platform.machine()], column))
    code = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    # Without the second flag older kernels slow such a process down, to keep secrets that this one does not have.
    return bool(library.syscall(_SECCOMP[column], _FILTER, _ALL_THREADS | _UNSLOWED, described) == 0)


def _filter(architecture: int, column: int) -> Iterator[bytes]:
    """Write the program that judges each call: threads, but no processes; signals, but only to this very process."""
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_JUMP_IF, architecture, yes=1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    for numbers in _ALLOWED.values():
        yield _instruction(_JUMP_IF, numbers[column], no=1)
        yield _instruction(_RETURN, _ALLOW)
    # The C library then takes the older call, whose flags can be seen.
    yield _instruction(_JUMP_IF, _CLONE3[column], no=1)
    yield _instruction(_RETURN, _REFUSE | errno.ENOSYS)
    yield from _if_first(_CLONE[column], _JUMP_IF_SET, _CLONE_THREAD)
    for numbers in _SIGNALS:
        yield from _if_first(numbers[column], _JUMP_IF, os.getpid())
    yield _instruction(_RETURN, _REFUSE | errno.EPERM)


def _if_first(number: int, test: int, value: int) -> Iterator[bytes]:
    """Allow a call where its first argument passes a test."""
    yield _instruction(_JUMP_IF, number, no=4)
    yield _instruction(_LOAD, _FIRST_ARGUMENT)
    yield _instruction(test, value, no=1)
    yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_RETURN, _REFUSE | errno.EPERM)


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
