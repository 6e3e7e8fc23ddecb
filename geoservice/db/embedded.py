"""The private PostgreSQL cluster that geoservice runs when no server is named.

It listens on a Unix socket only, in a folder that only its owner may enter, and asks for a password
(SCRAM) even there. Any command may start it; `geoservice db stop`, or the `serve` that started it when
the last client leaves, stops it. Everything happens under one lock file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from psycopg import sql
from pydantic import SecretStr

from geoservice.db.binaries import Binaries, Identity, find_binaries, service_identity
from geoservice.db.credentials import Role, ensure_passwords, scram_verifier
from geoservice.db.errors import ClusterError, SocketPathTooLong
from geoservice.db.files import exclusive, sync_folder, write_private
from geoservice.db.postmaster import PID_FILE, Postmaster, read_lock, read_postmaster
from geoservice.db.tuning import HBA, IDENT, LOCALE, SOCKET_PORT, Machine, render, server_options
from geoservice.settings import SYSTEM_HOME, Settings

SERVER_KEY = "embedded"
SOCKET_LIMIT = 107
LOCK_TIMEOUT = 180.0
START_TIMEOUT = 120
ORPHAN_TIMEOUT = 15.0
POLL_SECONDS = 0.1
LOG_LINES = 12
PRIVATE = 0o700
CONFIG_FILES = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf")


class State(StrEnum):
    """What the cluster is doing."""

    ABSENT = "absent"
    STOPPED = "stopped"
    CRASHED = "crashed"
    STARTING = "starting"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Status:
    """Answer of `geoservice db status`."""

    state: State
    data_dir: Path
    socket_dir: Path
    major: int | None
    pid: int | None


class EmbeddedCluster:
    """Life cycle of the private cluster of one home."""

    def __init__(self, settings: Settings) -> None:
        """Remember where things are; nothing is touched yet."""
        self._settings = settings
        self.home = settings.home
        self.root = settings.home / "postgres"
        self.data_dir = self.root / "data"
        self.log_dir = self.root / "log"

    # -- looking ---------------------------------------------------------------------------------------

    @property
    def major(self) -> int | None:
        """Major version that wrote the data; None when there are no data yet."""
        try:
            return int((self.data_dir / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    @property
    def socket_dir(self) -> Path:
        """Folder of the socket: the running server's own word first, then the settings, then a short default.

        Raises:
            SocketPathTooLong: When the folder named in the settings makes the path exceed 107 bytes.
        """
        running = read_postmaster(self.data_dir)
        if running and running.alive and running.socket_dir:
            return running.socket_dir
        return socket_folder(self._settings)

    def status(self) -> Status:
        """What the cluster is doing now."""
        postmaster = read_postmaster(self.data_dir)
        pid = postmaster.pid if postmaster and postmaster.alive else None
        return Status(self._state(postmaster), self.data_dir, self.socket_dir, self.major, pid)

    def _state(self, postmaster: Postmaster | None) -> State:
        if self.major is None:
            return State.ABSENT
        if postmaster is None:
            return State.STOPPED
        if not postmaster.alive:
            return State.CRASHED
        return State.RUNNING if postmaster.state == "ready" else State.STARTING

    # -- acting ----------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Make the cluster if there is none, and start it if it does not run.

        Returns:
            True when this call started it, False when it ran already.

        Raises:
            ClusterError: When it cannot be made or started; the sentence quotes the server's log.
        """
        with self.locked():
            if self.status().state is State.RUNNING:
                return False
            binaries = find_binaries(self._settings.postgres_bin, self.major)
            identity = service_identity(self._settings.service_user)
            self._prepare_folders(identity)
            if self.major is None:
                self._initialise(binaries, identity)
            self._configure(binaries, identity)
            self._clear_stale_locks()
            self._launch(binaries, identity)
            return True

    def stop(self) -> bool:
        """Stop the cluster, breaking off its clients.

        Returns:
            True when it ran.
        """
        with self.locked():
            return self._stop()

    def _stop(self) -> bool:
        if self.status().state not in (State.RUNNING, State.STARTING):
            return False
        binaries = find_binaries(self._settings.postgres_bin, self.major)
        identity = service_identity(self._settings.service_user)
        run = self._run(identity, binaries.program("pg_ctl"), "stop", "-D", str(self.data_dir), "-m", "fast", "-w")
        if run.returncode:
            raise ClusterError(f"The database did not stop: {run.stderr.strip() or run.stdout.strip()}")
        return True

    def repair(self) -> list[str]:
        """Mend what can be mended without a decision, and start the cluster.

        Returns:
            One sentence per thing that was mended.

        Raises:
            ClusterError: When the cluster still does not start.
        """
        with self.locked():
            done = list(self._mend())
        if self.start():
            done.append("Started the database.")
        return done

    def set_password(self, role: str, password: SecretStr) -> None:
        """Give a role a password while the cluster is stopped, in PostgreSQL's single-user mode.

        Whoever owns the files may do this; it is the way back in when the credentials file was lost.
        """
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(scram_verifier(password))
        )
        with self.locked():
            binaries = find_binaries(self._settings.postgres_bin, self.major)
            command = (binaries.program("postgres"), "--single", "-D", str(self.data_dir), "postgres")
            run = self._run(service_identity(self._settings.service_user), *command, lines=statement.as_string() + "\n")
        if run.returncode or "ERROR" in run.stderr:
            raise ClusterError(f"The password of {role} could not be set: {run.stderr.strip().splitlines()[-1]}")

    def _mend(self) -> Iterator[str]:
        identity = service_identity(self._settings.service_user)
        leftover = self.data_dir.with_suffix(".new")
        if leftover.exists():
            shutil.rmtree(leftover)
            yield f"Removed the half-made data folder {leftover}."
        for folder in (self.root, self.data_dir, self.log_dir, socket_folder(self._settings)):
            if folder.exists() and _wrong_permissions(folder, identity):
                _claim(folder, identity)
                yield f"Gave {folder} back to {identity.name}, closed to others."
        credentials = self._settings.credentials_path
        if credentials.exists() and stat.S_IMODE(credentials.stat().st_mode) & 0o077:
            credentials.chmod(0o600)
            yield f"Closed {credentials} to other users."
        if self.major is not None:
            missing = [name for name in CONFIG_FILES if not (self.data_dir / name).exists()]
            yield from (f"Wrote the missing {name} again." for name in missing)
            if self._state(read_postmaster(self.data_dir)) is State.CRASHED:
                yield "Found the trace of a crashed server; PostgreSQL recovers at the start."

    # -- parts -----------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the cluster's lock, so that nobody else starts, stops or makes it meanwhile."""
        _make_home(self.home)
        with exclusive(self.home / "cluster.lock", LOCK_TIMEOUT):
            yield

    def _prepare_folders(self, identity: Identity) -> None:
        for folder in (self.root, self.log_dir):
            _private_folder(folder, identity)
        _private_folder(self.socket_dir, identity)
        self._check_reachable(identity)

    def _check_reachable(self, identity: Identity) -> None:
        if self._run(identity, "test", "-x", str(self.root)).returncode:
            raise ClusterError(
                f"The user {identity.name} cannot enter {self.root}; choose a GEOSERVICE_HOME whose parent folders "
                "everybody may enter (mode o+x).",
                path=str(self.root),
            )

    def _initialise(self, binaries: Binaries, identity: Identity) -> None:
        admin = Role.ADMIN.name_in(self._settings.role_prefix)
        passwords = ensure_passwords(self._settings.credentials_path, SERVER_KEY, (admin,))
        fresh = self.data_dir.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        secret = self.root / "initial-password"
        write_private(secret, passwords[admin].get_secret_value(), (identity.uid, identity.gid))
        try:
            self._initdb(binaries, identity, fresh, secret, admin)
        finally:
            secret.unlink()
        fresh.rename(self.data_dir)
        sync_folder(self.root)

    def _initdb(self, binaries: Binaries, identity: Identity, fresh: Path, secret: Path, admin: str) -> None:
        run = self._run(
            identity,
            binaries.program("initdb"),
            f"--pgdata={fresh}",
            "--data-checksums",
            "--auth=scram-sha-256",
            f"--username={admin}",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            f"--locale={LOCALE}",
        )
        if run.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise ClusterError(f"The database folder could not be made: {run.stderr.strip()}")

    def _configure(self, binaries: Binaries, identity: Identity) -> None:
        wanted = {**self._wal_compression(binaries, identity), **self._settings.postgres_options}
        options = server_options(Machine.here(), self.socket_dir, self.log_dir, wanted)
        owner = (identity.uid, identity.gid) if identity.switching else None
        for name, text in zip(CONFIG_FILES, (render(options), HBA, IDENT), strict=True):
            write_private(self.data_dir / name, text, owner)

    def _wal_compression(self, binaries: Binaries, identity: Identity) -> dict[str, str]:
        """LZ4 where the server was built with it: an index is built in a quarter less time than with its own method."""
        asked = ("-c", "wal_compression=lz4", "-C", "wal_compression")
        run = self._run(identity, binaries.program("postgres"), "-D", str(self.data_dir), *asked)
        return {"wal_compression": "lz4"} if run.returncode == 0 else {}

    def _clear_stale_locks(self) -> None:
        """Remove the lock files of a dead server whose number is not free.

        It may belong to another process after a reboot, or to the dead server itself where nobody reaps it
        (containers); PostgreSQL would take either for a living server. A number that nobody bears is left to
        PostgreSQL. Its shared memory guards the data folder beyond these files.
        """
        for path in (self.data_dir / PID_FILE, self.socket_dir / f"{_socket_name()}.lock"):
            holder = read_lock(path)
            if holder and not holder.alive and holder.number_taken:
                path.unlink()

    def _launch(self, binaries: Binaries, identity: Identity) -> None:
        deadline = time.monotonic() + ORPHAN_TIMEOUT
        while True:
            log = self.root / "start.log"
            log.unlink(missing_ok=True)
            run = self._run(
                identity, binaries.program("pg_ctl"), "start", "-D", str(self.data_dir),
                "-l", str(log), "-w", "-t", str(START_TIMEOUT), "-s",
            )  # fmt: skip
            if run.returncode == 0:
                return
            reason = self._last_words(log)
            # After a SIGKILL of the server its children need a moment to notice and to let go of the memory.
            if "pre-existing shared memory block" not in reason or time.monotonic() > deadline:
                raise ClusterError(f"The database did not start:\n{reason or run.stderr.strip()}")
            time.sleep(POLL_SECONDS)

    def _last_words(self, start_log: Path) -> str:
        logs = sorted(self.log_dir.glob("postgresql-*.log"), key=lambda path: path.stat().st_mtime)
        texts = [
            path.read_text(encoding="utf-8", errors="replace") for path in [*logs[-1:], start_log] if path.exists()
        ]
        return "\n".join("\n".join(texts).splitlines()[-LOG_LINES:])

    def _run(self, identity: Identity, *command: str, lines: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            input=lines,
            timeout=START_TIMEOUT + 60,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": LOCALE, "TZ": "UTC"},
            **identity.process_arguments(),
        )


def socket_folder(settings: Settings) -> Path:
    """The folder of the Unix socket: the one in the settings, else run/ in home, else a short one.

    Raises:
        SocketPathTooLong: When the folder named in the settings makes the path exceed 107 bytes.
    """
    if settings.socket_dir:
        if not fits_socket(settings.socket_dir):
            raise SocketPathTooLong(
                f"The socket path {settings.socket_dir}/{_socket_name()} is longer than {SOCKET_LIMIT} bytes; "
                "set GEOSERVICE_SOCKET_DIR to a shorter folder.",
                path=str(settings.socket_dir),
            )
        return settings.socket_dir
    if fits_socket(settings.home / "run"):
        return settings.home / "run"
    digest = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"geoservice-{os.geteuid()}-{digest}"


def fits_socket(folder: Path) -> bool:
    """True when a socket in this folder has a path the kernel accepts."""
    return len(os.fsencode(folder / _socket_name())) <= SOCKET_LIMIT


def _socket_name() -> str:
    return f".s.PGSQL.{SOCKET_PORT}"


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClusterError(f"The home {home} cannot be made: {error.strerror}. Set GEOSERVICE_HOME.") from error
    if os.geteuid() == 0 and home == SYSTEM_HOME:
        home.chmod(0o711)


def _private_folder(folder: Path, identity: Identity) -> None:
    if folder.is_symlink():
        raise ClusterError(f"{folder} is a link; geoservice wants a folder of its own there.", path=str(folder))
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    owner = folder.stat().st_uid
    if owner not in (os.geteuid(), identity.uid):
        raise ClusterError(f"{folder} belongs to another user; remove it or choose another home.", path=str(folder))
    _claim(folder, identity)


def _claim(folder: Path, identity: Identity) -> None:
    identity.own(folder)
    folder.chmod(PRIVATE)


def _wrong_permissions(folder: Path, identity: Identity) -> bool:
    found = folder.stat()
    return stat.S_IMODE(found.st_mode) != PRIVATE or found.st_uid != identity.uid
