"""Where PostgreSQL's programs are, and under which identity they run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoservice.db.errors import ClusterError, PostgresMissing, VersionMismatch

PACKAGES_ROOT = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "pg_ctl", "postgres")
INSTALL_COMMAND = "apt-get install postgresql-15 postgresql-15-postgis-3"
TOOL_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL: the folder of its programs and its major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """Full path of one program."""
        return str(self.folder / name)


@dataclass(frozen=True, slots=True)
class Identity:
    """The system user the cluster belongs to."""

    name: str
    uid: int
    gid: int

    @property
    def switching(self) -> bool:
        """True when programs must be started under another user than ours."""
        return self.uid != os.geteuid()

    def process_arguments(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make the child run under this identity."""
        if not self.switching:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this identity (links are not followed)."""
        if self.switching:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def find_binaries(explicit: Path | None, major: int | None = None) -> Binaries:
    """Find PostgreSQL's programs.

    Args:
        explicit: Folder named in the settings; then no other is looked at.
        major: Major version that existing data demand; None takes the newest.

    Raises:
        PostgresMissing: When no folder holds the programs.
        VersionMismatch: When only other major versions are installed.
    """
    found = [binaries for folder in _candidates(explicit) if (binaries := _inspect(folder))]
    if not found:
        raise PostgresMissing(
            f"PostgreSQL's programs ({', '.join(PROGRAMS)}) were not found; install them with: {INSTALL_COMMAND}"
        )
    fitting = [binaries for binaries in found if major in (None, binaries.major)]
    if not fitting:
        versions = ", ".join(str(binaries.major) for binaries in found)
        raise VersionMismatch(
            f"The database was written by PostgreSQL {major}, but this machine has {versions}. Install "
            f"postgresql-{major} and postgresql-{major}-postgis-3, or dump with the old version and restore into "
            "a new home; data folders are not converted in place.",
            data_major=major,
        )
    return max(fitting, key=lambda binaries: binaries.major)


def _candidates(explicit: Path | None) -> list[Path]:
    if explicit:
        return [explicit]
    folders = sorted(PACKAGES_ROOT.glob("*/bin"))
    on_path = shutil.which("pg_ctl")
    return [*folders, Path(on_path).resolve().parent] if on_path else folders


def _inspect(folder: Path) -> Binaries | None:
    if not all(os.access(folder / name, os.X_OK) for name in PROGRAMS):
        return None
    run = subprocess.run(
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, timeout=TOOL_TIMEOUT, check=False
    )
    match = re.search(r"\) (\d+)", run.stdout)
    return Binaries(folder, int(match[1])) if match else None


def service_identity(name: str) -> Identity:
    """The identity of the cluster: ourselves, or the system user `name` when we are root (initdb refuses root).

    Raises:
        ClusterError: When the system user is missing and cannot be created.
    """
    if os.geteuid() != 0:
        return _identity(pwd.getpwuid(os.geteuid()))
    try:
        return _identity(pwd.getpwnam(name))
    except KeyError:
        return _create_user(name)


def _identity(entry: pwd.struct_passwd) -> Identity:
    return Identity(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create_user(name: str) -> Identity:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if not program:
        raise ClusterError(f"The system user {name} does not exist and useradd is not installed; create the user.")
    command = [program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    run = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", name],
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT,
        check=False,
    )
    try:
        return _identity(pwd.getpwnam(name))
    except KeyError:
        raise ClusterError(f"The system user {name} could not be created: {run.stderr.strip()}") from None
