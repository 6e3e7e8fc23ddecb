"""How the reading child locks itself in: network, file system, privileges, limits. Linux, standard library only.

Every step is attempted, and what was achieved is reported; the parent decides whether that is enough.
Sources: unshare(2), prctl(2), capabilities(7), landlock(7), setrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAP_VERSION_3 = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FS_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FS_RIGHTS_NEWEST = (1 << 16) - 1
_FILE_RIGHTS = 0b111 | 1 << 14 | 1 << 15
_NET_ABI, _SCOPE_ABI = 4, 6
"""Versions of Landlock that also hold back TCP, and signals with abstract sockets."""
_SPARE_TASKS = 32
_OPEN_FILES = 256


@dataclass(frozen=True)
class Confinement:
    """What the child may use.

    Attributes:
        uid, gid: Unprivileged user to become, or None to stay who we are.
        memory: Bytes of address space. cpu: seconds of processor time. file_size: bytes of a file it writes.
        readable: Files and directories it may read besides the installation.
        writable: The one directory it may write to.
        parent: Process number of the parent; the child ends when that is gone.
    """

    uid: int | None
    gid: int | None
    memory: int
    cpu: int
    file_size: int
    readable: tuple[str, ...]
    writable: str
    parent: int


def cut_network() -> str:
    """Move into a network namespace without any interface. Must run before the first thread starts.

    Returns:
        The mechanism: `network namespace`, `user and network namespace`, or `none`.
    """
    if _LIBC.unshare(_CLONE_NEWNET) == 0:
        return "network namespace"
    uid, gid = os.geteuid(), os.getegid()
    if _LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return "none"
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            # In the encoding that every interpreter has loaded: the file of another may be out of reach by now.
            Path(f"/proc/self/{name}").write_text(text, encoding="utf-8")
        except OSError:
            # An unmapped user still reads what the kernel's own user number may read.
            break
    return "user and network namespace"


def lock_in(wanted: Confinement) -> dict[str, str]:
    """Set limits, give up privileges and the view of the file system. Run after the libraries are loaded.

    Returns:
        What was achieved, by kind: `privileges`, `filesystem`, `tcp`.
    """
    _limit(wanted)
    privileges = _drop_user(wanted)
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filesystem, tcp = _landlock(wanted)
    if _drop_capabilities():
        privileges += ", no capabilities"
    _die_with(wanted.parent)
    return {"privileges": privileges, "filesystem": filesystem, "tcp": tcp}


def _limit(wanted: Confinement) -> None:
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, wanted.cpu),
        (resource.RLIMIT_FSIZE, wanted.file_size),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, _tasks_of(os.getuid() if wanted.uid is None else wanted.uid) + _SPARE_TASKS),
        (resource.RLIMIT_AS, wanted.memory),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _tasks_of(uid: int) -> int:
    """Threads that the user runs now: the kernel counts them all against RLIMIT_NPROC."""
    count = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid == uid:
                count += sum(1 for _ in (process / "task").iterdir())
        except OSError:
            # It ended while we looked.
            continue
    return count


def _drop_user(wanted: Confinement) -> str:
    if wanted.uid is None or wanted.gid is None:
        return "same user"
    try:
        os.setgroups([])
        os.setresgid(wanted.gid, wanted.gid, wanted.gid)
        os.setresuid(wanted.uid, wanted.uid, wanted.uid)
    except OSError:
        return "same user"
    return f"user {wanted.uid}"


def _drop_capabilities() -> bool:
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is None:
        return False
    for capability in range(64):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAP_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(bytes(24))
    return bool(_LIBC.syscall(number, header, nothing) == 0)


def _die_with(parent: int) -> None:
    # Cleared by a change of user, so it comes after that; the second look closes the gap before it was set.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _landlock(wanted: Confinement) -> tuple[str, str]:
    abi = int(_LIBC.syscall(_LANDLOCK_CREATE, None, 0, 1))
    if abi < 1:
        return "file permissions only", "open"
    rights = _FS_RIGHTS_BY_ABI.get(abi, _FS_RIGHTS_NEWEST)
    attributes = struct.pack("QQQ", rights, 0b11 if abi >= _NET_ABI else 0, 0b11 if abi >= _SCOPE_ABI else 0)
    size = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}.get(abi, 24)
    ruleset = _LIBC.syscall(_LANDLOCK_CREATE, ctypes.create_string_buffer(attributes), size, 0)
    if ruleset < 0:
        return "file permissions only", "open"
    for path in (*installation(), *wanted.readable):
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    _allow(ruleset, wanted.writable, rights & ~1)
    held = _LIBC.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    if not held:
        return "file permissions only", "open"
    return f"landlock {abi}", "landlock" if abi >= _NET_ABI else "open"


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= _FILE_RIGHTS
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle))
    _LIBC.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)
    os.close(handle)


def installation() -> tuple[str, ...]:
    """Directories and files that Python and the libraries need to read: the interpreter, its packages, time zones."""
    own = Path(__file__).resolve().parent.parent
    packages = [str(own / "ingest"), str(own / "layers")]
    paths = [p for p in sys.path if p and Path(p).resolve() != own]
    system = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache"]
    return (sys.prefix, sys.base_prefix, *paths, *packages, *system, "/dev/null", "/dev/urandom")
