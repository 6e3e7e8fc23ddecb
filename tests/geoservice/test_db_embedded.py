"""Life of the embedded cluster: made, started twice, killed, mended, stopped; closed to everybody else."""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster, State, socket_folder
from geoservice.db.engine import Database
from geoservice.db.errors import ClusterError, CredentialsMissing, SocketPathTooLong, VersionMismatch
from geoservice.db.postmaster import read_postmaster
from geoservice.db.provision import open_database, release, repair_embedded
from geoservice.settings import Settings
from layers.errors import DatabaseUnavailable
from tests.support.database import FAST_OPTIONS, private_cluster, temporary_home

STOP_SECONDS = 15


@pytest.fixture
def own() -> Iterator[Settings]:
    """A cluster that the test may hurt."""
    with private_cluster() as settings:
        yield settings


def one(database: Database, statement: str, role: Role = Role.OWNER) -> object:
    with database.psycopg(role) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def kill_server(settings: Settings) -> int:
    postmaster = read_postmaster(settings.home / "postgres" / "data")
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    deadline = time.monotonic() + STOP_SECONDS
    while postmaster.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    return postmaster.pid


def test_first_start_makes_a_cluster_with_checksums_and_safe_settings() -> None:
    with private_cluster(postgres_options={"shared_buffers": "64MB"}) as settings:
        database = Database.from_settings(settings)
        found = {
            name: one(database, f"SELECT current_setting('{name}')")
            for name in ("data_checksums", "fsync", "full_page_writes", "synchronous_commit", "jit", "listen_addresses")
        }
    assert found == {
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "jit": "off",
        "listen_addresses": "",
    }


def test_second_start_finds_the_first(own: Settings) -> None:
    cluster = EmbeddedCluster(own)
    before = cluster.status()
    assert before.state is State.RUNNING
    assert cluster.start() is False
    assert cluster.status() == before


def test_commands_that_start_together_make_one_server() -> None:
    with temporary_home() as home:
        settings = Settings(home=home, postgres_options=FAST_OPTIONS)
        started: list[bool] = []
        threads = [threading.Thread(target=lambda: started.append(EmbeddedCluster(settings).start())) for _ in range(4)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(started) == [False, False, False, True]
        finally:
            EmbeddedCluster(settings).stop()


def test_stop_and_start_keep_the_rows(own: Settings) -> None:
    database = Database.from_settings(own)
    with database.psycopg(Role.OWNER) as connection:
        connection.execute("CREATE TABLE geo.kept AS SELECT 42 AS answer")
    cluster = EmbeddedCluster(own)
    assert cluster.stop() is True
    assert cluster.status().state is State.STOPPED
    assert cluster.stop() is False
    with pytest.raises(DatabaseUnavailable):
        one(database, "SELECT 1")
    assert cluster.start() is True
    assert one(database, "SELECT answer FROM geo.kept") == 42


def test_killed_server_comes_back_with_what_was_committed() -> None:
    with private_cluster(postgres_options={"shared_buffers": "64MB"}) as settings:
        database = Database.from_settings(settings)
        with database.psycopg(Role.OWNER) as connection:
            connection.execute("CREATE TABLE geo.kept AS SELECT 42 AS answer")
        killed = kill_server(settings)
        cluster = EmbeddedCluster(settings)
        assert cluster.status().state is State.CRASHED
        assert cluster.start() is True
        assert cluster.status().pid != killed
        assert one(database, "SELECT answer FROM geo.kept") == 42


def test_pid_file_whose_number_was_given_to_another_process_is_no_obstacle(own: Settings) -> None:
    cluster = EmbeddedCluster(own)
    cluster.stop()
    stranger = subprocess.Popen(["sleep", "60"], **_cluster_user(own))
    try:
        trace = cluster.data_dir / "postmaster.pid"
        trace.write_text(f"{stranger.pid}\n{cluster.data_dir}\n1\n5432\n/nowhere\n\n", encoding="ascii")
        assert cluster.status().state is State.CRASHED
        assert cluster.start() is True
        assert stranger.poll() is None, "the stranger must not be harmed"
    finally:
        stranger.kill()
        stranger.wait()


def _cluster_user(settings: Settings) -> dict[str, int]:
    owner = (settings.home / "postgres").stat()
    return {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}


def test_half_made_folder_is_thrown_away() -> None:
    with temporary_home() as home:
        settings = Settings(home=home, postgres_options=FAST_OPTIONS)
        leftover = home / "postgres" / "data.new"
        leftover.mkdir(parents=True)
        (leftover / "PG_VERSION").write_text("15\n", encoding="ascii")
        try:
            assert open_database(settings).name == "geoservice"
            assert not leftover.exists()
        finally:
            EmbeddedCluster(settings).stop()


def test_repair_mends_configuration_permissions_and_traces(own: Settings) -> None:
    cluster = EmbeddedCluster(own)
    kill_server(own)
    (cluster.data_dir / "pg_hba.conf").unlink()
    (cluster.data_dir / "postgresql.conf").unlink()
    cluster.data_dir.chmod(0o755)
    own.credentials_path.chmod(0o644)
    said = "\n".join(cluster.repair())
    for subject in ("pg_hba.conf", "postgresql.conf", "closed to others", "credentials", "crashed", "Started"):
        assert subject in said
    assert cluster.data_dir.stat().st_mode & 0o777 == 0o700
    assert own.credentials_path.stat().st_mode & 0o777 == 0o600
    assert one(Database.from_settings(own), "SELECT 1") == 1
    assert cluster.repair() == []


def test_lost_credentials_are_said_and_repaired(own: Settings) -> None:
    with Database.from_settings(own).psycopg(Role.OWNER) as connection:
        connection.execute("CREATE TABLE geo.kept AS SELECT 42 AS answer")
    before = own.credentials_path.read_text()
    own.credentials_path.unlink()
    with pytest.raises(CredentialsMissing, match="geoservice db repair"):
        open_database(own)
    assert not own.credentials_path.exists()
    assert repair_embedded(own) == ["The administrator's password was lost; set a new one."]
    assert own.credentials_path.read_text() != before
    assert one(open_database(own), "SELECT answer FROM geo.kept") == 42
    assert repair_embedded(own) == []


def test_wrong_password_is_refused_and_not_repeated(own: Settings) -> None:
    database = Database.from_settings(own)
    wrong = {"host": database.parameters["host"], "user": database.role_name(Role.OWNER), "dbname": database.name}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**wrong, password=secrets.token_hex())
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(**wrong)


def test_passwords_are_stored_as_scram_and_never_logged(own: Settings) -> None:
    database = Database.from_settings(own)
    with database.psycopg(Role.ADMIN) as connection:
        kept = connection.execute("SELECT left(rolpassword, 14) FROM pg_authid WHERE rolcanlogin").fetchall()
    assert set(kept) == {("SCRAM-SHA-256$",)}
    logs = "".join(path.read_text() for path in (own.home / "postgres").rglob("*.log"))
    assert not [name for name, secret in database.passwords.items() if secret.get_secret_value() in logs]


def test_no_tcp_listener(own: Settings) -> None:
    postmaster = read_postmaster(own.home / "postgres" / "data")
    assert postmaster is not None
    inodes = {
        os.readlink(entry)[8:-1]
        for entry in Path(f"/proc/{postmaster.pid}/fd").iterdir()
        if os.readlink(entry).startswith("socket:")
    }
    listed = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    assert inodes, "the server must have its Unix socket open"
    assert not [fields for fields in listed[1:] if len(fields) > 9 and fields[9] in inodes and fields[3] == "0A"]


def test_files_are_closed_to_others(own: Settings) -> None:
    for path in (own.home / "postgres", own.home / "postgres" / "data", own.home / "run"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert own.credentials_path.stat().st_mode & 0o777 == 0o600


def test_long_home_falls_back_to_a_short_socket_folder() -> None:
    with temporary_home() as base:
        home = base / ("deep" * 25)
        home.mkdir()
        settings = Settings(home=home, postgres_options=FAST_OPTIONS)
        fallback = socket_folder(settings)
        assert len(str(fallback / ".s.PGSQL.5432").encode()) <= 107
        try:
            assert one(open_database(settings), "SELECT 1") == 1
            assert fallback.stat().st_mode & 0o777 == 0o700
        finally:
            EmbeddedCluster(settings).stop()
            fallback.rmdir()


def test_the_kernels_limit_is_the_one_we_keep() -> None:
    short = Path("/") / ("x" * (107 - len("//.s.PGSQL.5432")))
    assert socket_folder(Settings(socket_dir=short)) == short
    with pytest.raises(SocketPathTooLong, match="107 bytes"):
        socket_folder(Settings(socket_dir=short.with_name(short.name + "x")))
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError, match="too long"):
        probe.bind("x" * 108)


def test_data_of_another_major_version_are_refused_with_advice() -> None:
    with temporary_home() as home:
        data = home / "postgres" / "data"
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("9\n", encoding="ascii")
        with pytest.raises(VersionMismatch, match=r"written by PostgreSQL 9.*postgresql-9-postgis-3"):
            EmbeddedCluster(Settings(home=home)).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the cluster to another user")
def test_home_behind_a_closed_door_is_explained() -> None:
    with temporary_home() as base:
        base.chmod(0o700)
        with pytest.raises(ClusterError, match="cannot enter"):
            EmbeddedCluster(Settings(home=base / "inner", postgres_options=FAST_OPTIONS)).start()


def test_server_that_does_not_start_says_why() -> None:
    with temporary_home() as home:
        settings = Settings(home=home, postgres_options={"shared_buffers": "many"})
        with pytest.raises(ClusterError, match=r'shared_buffers.*"many"'):
            EmbeddedCluster(settings).start()
        assert EmbeddedCluster(settings).status().state is State.STOPPED


def test_release_stops_only_when_the_last_client_left(own: Settings) -> None:
    database = Database.from_settings(own)
    with database.psycopg(Role.READER_PUBLIC):
        assert release(own, grace=0.3) is False
        assert one(database, "SELECT 1") == 1
    assert release(own) is True
    assert EmbeddedCluster(own).status().state is State.STOPPED


def test_runs_as_an_ordinary_user_too() -> None:
    """The whole life in a process that is not root (the other tests run as whoever runs pytest)."""
    script = (
        "import os, sys\n"
        "from geoservice.cli import run\n"
        "assert os.geteuid() != 0\n"
        "sys.exit(run(['db', 'start']) or run(['db', 'status']) or run(['doctor', '-q']) or run(['db', 'stop']))\n"
    )
    with temporary_home() as base:
        user = _ordinary_user()
        os.chown(base, user.pw_uid, user.pw_gid)
        ran = subprocess.run(
            [*_become(user), sys.executable, "-c", script],
            env={"GEOSERVICE_HOME": str(base / "home"), "PATH": os.environ["PATH"], "HOME": str(base)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "state   running" in ran.stdout
        assert (base / "home" / "postgres" / "data").stat().st_uid == user.pw_uid


def _ordinary_user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _become(user: pwd.struct_passwd) -> list[str]:
    """A prefix that gives up root; only reading stays allowed, as the interpreter may lie in root's own folder."""
    if os.geteuid() != 0:
        return []
    numbers = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *numbers, "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
