"""Server settings of the embedded cluster, scaled from the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
SHARED_MEMORY = Path("/dev") / "shm"
SMALLEST_SHARED_MEMORY = 512 * MIB
LOCALE = "C.UTF-8"
SOCKET_PORT = 5432
HBA = "# Private socket, passwords only; there is no TCP listener.\nlocal all all scram-sha-256\n"
IDENT = "# No user name maps.\n"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the cluster may use: bytes of memory, number of cores, bytes of POSIX shared memory."""

    memory: int
    cores: int
    shared_memory: int

    @classmethod
    def here(cls) -> Machine:
        """This machine, with the limit of its container where there is one."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(min([memory, *_limits()]), len(os.sched_getaffinity(0)), _shared_memory())


def _limits() -> list[int]:
    texts = [path.read_text(encoding="ascii").strip() for path in CGROUP_LIMITS if path.is_file()]
    return [int(text) for text in texts if text.isdigit()]


def _shared_memory() -> int:
    if not SHARED_MEMORY.is_dir():
        return 0
    numbers = os.statvfs(SHARED_MEMORY)
    return numbers.f_blocks * numbers.f_frsize


def memory_options(machine: Machine) -> dict[str, str]:
    """Memory and planner settings: a quarter of the memory shared, at most 8 GiB; JIT off.

    Parallel query stays on for loads; the pools of the service switch it off for their own short reads.
    """
    shared = max(64 * MIB, min(machine.memory // 4, 8 * GIB))
    return {
        "shared_buffers": _mib(shared),
        "effective_cache_size": _mib(machine.memory * 6 // 10),
        "maintenance_work_mem": _mib(max(64 * MIB, min(machine.memory // 24, GIB))),
        "work_mem": _mib(max(4 * MIB, min(machine.memory // 600, 64 * MIB))),
        "max_connections": str(60 + 20 * machine.cores),
        "max_parallel_workers": str(machine.cores),
        "max_parallel_maintenance_workers": str(max(1, machine.cores // 2)),
        "dynamic_shared_memory_type": "posix" if machine.shared_memory >= SMALLEST_SHARED_MEMORY else "mmap",
        "jit": "off",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "100",
        "max_wal_size": "4GB",
        "checkpoint_completion_target": "0.9",
        "wal_compression": "on",
        "default_statistics_target": "200",
    }


def _mib(number: int) -> str:
    return f"{number // MIB}MB"


def server_options(machine: Machine, socket_dir: Path, log_dir: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """All settings of postgresql.conf; `extra` wins over ours except for what keeps the cluster private."""
    return {
        **memory_options(machine),
        "timezone": "UTC",
        "log_timezone": "UTC",
        "datestyle": "iso, ymd",
        "lc_messages": "C",
        "lc_monetary": LOCALE,
        "lc_numeric": LOCALE,
        "lc_time": LOCALE,
        "default_text_search_config": "pg_catalog.simple",
        "logging_collector": "on",
        "log_directory": str(log_dir),
        "log_filename": "postgresql-%a.log",
        "log_rotation_age": "1d",
        "log_truncate_on_rotation": "on",
        "log_min_duration_statement": "10s",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        **extra,
        "listen_addresses": "",
        "port": str(SOCKET_PORT),
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
    }


def render(options: Mapping[str, str]) -> str:
    """The text of postgresql.conf."""
    lines = [f"{name} = '{_quoted(value)}'" for name, value in sorted(options.items())]
    return "\n".join(
        ["# Written by geoservice before each start; set GEOSERVICE_POSTGRES_OPTIONS instead.", *lines, ""]
    )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''").replace("\n", " ")
