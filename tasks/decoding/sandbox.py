"""A sandbox for a process that decodes untrusted files: no files, no network, no other processes, lower limits.

It is set up by ctypes, so nothing has to be installed and no right is needed. Where the kernel lacks a means, the
process works without it and reports that. Only Linux has most of these means.
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
# The number of rights over files that each version of Landlock knows: all of them are given up.
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
# The system calls that decoding needs, by their numbers on both machines: memory, locks, clocks, open files, exit.
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
    """Give up, for good, all rights that decoding does not need.

    Everything must have been imported before: no file can be opened afterwards.

    Returns:
        What this kernel cannot withhold, in words; empty where it withholds everything.
    """
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if library:
        _give_up_rights(library)
    walled = library is not None and _landlock(library)
    # Without a new descriptor there is no new file and no new connection, on every system.
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        limit(kind, 0)
    filtered = library is not None and _seccomp(library)
    left_open = [] if walled or filtered else ["files"]
    return left_open if filtered else [*left_open, "other processes"]


def limit(kind: int, most: int) -> None:
    """Lower a limit of this process for good; one that is lower already stays.

    Args:
        kind: The limit, such as ``resource.RLIMIT_CPU``.
        most: Its new value, in the limit's own unit.
    """
    _, hard = resource.getrlimit(kind)
    lowered = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (lowered, lowered))


def _give_up_rights(library: ctypes.CDLL) -> None:
    """Drop every capability of root, and prevent that a program that is started brings any back."""
    for capability in range(_CAPABILITIES):
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    library.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24))
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _landlock(library: ctypes.CDLL) -> bool:
    """Deny access to every file; from Landlock's fourth version also TCP, from its sixth also signals to others."""
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
    """Deny every system call that is not in the list."""
    if platform.machine() not in _MACHINES:
        return False
    column = list(_MACHINES).index(platform.machine())
    program = b"".join(_filter(_MACHINES[platform.machine()], column))
    code = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    # Without the second flag older kernels slow such a process down to protect secrets, of which it has none.
    return bool(library.syscall(_SECCOMP[column], _FILTER, _ALL_THREADS | _UNSLOWED, described) == 0)


def _filter(architecture: int, column: int) -> Iterator[bytes]:
    """Yield the filter's program: threads are allowed but no processes, and signals only to this very process."""
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_JUMP_IF, architecture, yes=1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    for numbers in _ALLOWED.values():
        yield _instruction(_JUMP_IF, numbers[column], no=1)
        yield _instruction(_RETURN, _ALLOW)
    # The C library then uses the older call, whose flags a filter can read.
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
