"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.bench.servers import TIPG

GIB = 1 << 30


def facts(database: Database) -> dict[str, str]:
    """Cores, memory and the versions of everything that takes part."""
    with database.psycopg(Role.ADMIN) as connection:
        row = connection.execute("SELECT current_setting('server_version'), postgis_lib_version()").fetchone()
    postgres, postgis = row or ("", "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    gdal = subprocess.run(["ogr2ogr", "--version"], check=True, capture_output=True, text=True).stdout.split(",")[0]
    libraries = ("fastapi", "uvicorn", "asyncpg", "adbc-driver-postgresql", "shapely")
    return {
        "Processor": f"{len(os.sched_getaffinity(0))} cores, {_processor()}",
        "Memory": f"{memory:.0f} GiB",
        "System": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{postgres.split()[0]} with PostGIS {postgis}",
        "geoservice": ", ".join([version("geoservice"), *(f"{name} {version(name)}" for name in libraries)]),
        "Compared with": f"{TIPG.replace('==', ' ')}, {gdal}",
        "Load on the machine before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
