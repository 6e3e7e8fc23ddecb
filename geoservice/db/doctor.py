"""What is wrong with an installation, and how to mend it: one small check per question.

A check looks and returns findings; it changes nothing. `CHECKS` is the list, in the order of a sick call:
the machine first, then the cluster, then what is inside.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import importlib.util
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from geoservice.db import migrate
from geoservice.db.binaries import find_binaries
from geoservice.db.capability import probe, statement
from geoservice.db.credentials import Role
from geoservice.db.embedded import SOCKET_LIMIT, EmbeddedCluster, State, fits_socket
from geoservice.db.engine import Database
from geoservice.maps.trial import try_renderer
from geoservice.settings import Settings
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.errors import ConfigurationError, DefinitionError, GeoError
from layers.transformation import Grid, Transformation

DISTRIBUTION = "geoservice"
PACKAGES = ("geoservice", "layers", "tiles", "ingest", "web")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GIB = 1 << 30
LEAST_DISK = 1 * GIB
COMFORTABLE_DISK = 10 * GIB
TOOL_TIMEOUT = 20.0
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Level(StrEnum):
    """How a finding is meant: fine, worth knowing, broken."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one subject, and one line how to mend it when it is broken."""

    level: Level
    subject: str
    message: str
    remedy: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings) -> list[Finding]:
    """Run all checks; a check that cannot look because an earlier one failed says so itself."""
    return [finding for check in CHECKS for finding in check(settings)]


def check_packages(settings: Settings) -> Iterator[Finding]:
    """The five package names belong to this distribution and are loaded from one place."""
    del settings
    yield from package_findings(importlib.metadata.packages_distributions(), {name: _origin(name) for name in PACKAGES})


def package_findings(owners: Mapping[str, list[str]], origins: Mapping[str, Path | None]) -> Iterator[Finding]:
    """Judge who owns the five names (`owners`, by import name) and where they come from (`origins`)."""
    home = origins[DISTRIBUTION]
    for name in PACKAGES:
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if others:
            remedy = f"pip uninstall {' '.join(others)}, or give geoservice a virtual environment of its own."
            yield Finding(Level.PROBLEM, "packages", f"The name {name} also belongs to {', '.join(others)}.", remedy)
        elif origins[name] is None or origins[name] != home:
            where = origins[name] or "nowhere"
            remedy = "Give geoservice a virtual environment of its own and install it again."
            yield Finding(Level.PROBLEM, "packages", f"The package {name} comes from {where}, not from {home}.", remedy)
        else:
            yield Finding(Level.OK, "packages", f"{name} is ours.")


def _origin(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).resolve().parent.parent if spec and spec.origin else None


def check_disk(settings: Settings) -> Iterator[Finding]:
    """There is room where the state lives."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / GIB:.1f} GiB are free below {folder}."
    if free < LEAST_DISK:
        yield Finding(Level.PROBLEM, "disk", text, "Free at least 1 GiB, or set GEOSERVICE_HOME to a larger disk.")
    else:
        yield Finding(Level.OK if free >= COMFORTABLE_DISK else Level.NOTE, "disk", text)


def check_credentials(settings: Settings) -> Iterator[Finding]:
    """The credentials file is closed to other users and can be read by us."""
    path = settings.credentials_path
    if not path.exists():
        yield Finding(Level.NOTE, "credentials", f"{path} does not exist yet; the first start makes it.")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding(Level.PROBLEM, "credentials", f"{path} can be read by other users.", f"chmod 600 {path}")
    elif not os.access(path, os.R_OK):
        yield Finding(Level.PROBLEM, "credentials", f"{path} cannot be read.", "Run geoservice as the file's owner.")
    else:
        yield Finding(Level.OK, "credentials", f"{path} is closed to others.")


def check_listener(settings: Settings) -> Iterator[Finding]:
    """The service listens on this machine only, or somebody meant it otherwise."""
    if settings.host in LOOPBACK:
        yield Finding(Level.OK, "listener", f"The service listens on {settings.host} only.")
    else:
        text = f"The service listens on {settings.host}: put a proxy with TLS in front of it."
        yield Finding(Level.NOTE, "listener", text)


def check_renderer(settings: Settings) -> Iterator[Finding]:
    """Maps can be drawn on the server, and the process that draws them is shut in."""
    del settings
    achieved = try_renderer()
    if achieved is None:
        text = "The renderer of maps does not start: Web Map Service, legends and maps for reports answer 503."
        remedy = "Install the Debian packages libegl1, libgl1, libgl1-mesa-dri and libcurl4."
        yield Finding(Level.PROBLEM, "renderer", text, remedy)
        return
    told = ", ".join(f"{kind}: {how}" for kind, how in achieved.items())
    yield Finding(Level.OK, "renderer", f"Maps are drawn in a process of their own ({told}).")


def check_browser(settings: Settings) -> Iterator[Finding]:
    """Chromium and a Chinese font: only the browser tests and the printing of maps need them."""
    del settings
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    yield Finding(Level.NOTE, "browser", f"Chromium: {chromium or 'not installed (needed by browser tests only)'}.")
    program = shutil.which("fc-list")
    fonts = _output(program, ":lang=zh", "family") if program else ""
    found = "present" if fonts else "not found (browser tests need fonts-noto-cjk to show Chinese)"
    yield Finding(Level.NOTE, "browser", f"A font with Chinese characters: {found}.")


def _output(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT, check=False)
    return run.stdout.strip()


def check_binaries(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL's programs are there, in the version that wrote the data."""
    if settings.database_url is not None:
        yield Finding(Level.OK, "postgresql", "A server is configured; no programs are needed here.")
        return
    try:
        binaries = find_binaries(settings.postgres_bin, EmbeddedCluster(settings).major)
    except GeoError as error:
        yield Finding(Level.PROBLEM, "postgresql", error.detail, "Run scripts/install, or the command named above.")
    else:
        yield Finding(Level.OK, "postgresql", f"PostgreSQL {binaries.major} in {binaries.folder}.")


def check_socket(settings: Settings) -> Iterator[Finding]:
    """The path of the Unix socket is short enough for the kernel."""
    if settings.database_url is not None:
        return
    wanted = settings.socket_dir or settings.home / "run"
    if fits_socket(wanted):
        yield Finding(Level.OK, "socket", f"The socket's folder is {wanted}.")
    elif settings.socket_dir:
        text = f"A socket in {wanted} would have a path of more than {SOCKET_LIMIT} bytes."
        yield Finding(Level.PROBLEM, "socket", text, "Set GEOSERVICE_SOCKET_DIR to a shorter folder.")
    else:
        text = f"{wanted} is too long for a socket; {EmbeddedCluster(settings).socket_dir} is used."
        yield Finding(Level.NOTE, "socket", text)


def check_cluster(settings: Settings) -> Iterator[Finding]:
    """The embedded cluster runs, or can be started."""
    if settings.database_url is not None:
        return
    try:
        found = EmbeddedCluster(settings).status()
    except ConfigurationError as error:
        yield Finding(Level.PROBLEM, "cluster", error.detail, "Correct the setting named above.")
        return
    if found.state is State.CRASHED:
        text = f"The database in {found.data_dir} ended without a goodbye."
        yield Finding(Level.PROBLEM, "cluster", text, "geoservice db repair")
    elif found.state is State.RUNNING:
        yield Finding(Level.OK, "cluster", f"The embedded database runs (process {found.pid}).")
    else:
        yield Finding(Level.NOTE, "cluster", f"The embedded database is {found.state}; the next command starts it.")


def check_contents(settings: Settings) -> Iterator[Finding]:
    """Inside the database: rights of the roles, durability, versions, access net, revision of the system tables."""
    try:
        if settings.database_url is None and EmbeddedCluster(settings).status().state is not State.RUNNING:
            return
        database = Database.from_settings(settings)
        with database.transaction(Role.OWNER) as connection:
            yield from _inside(settings, database, connection)
    except GeoError as error:
        yield Finding(Level.PROBLEM, "database", error.detail, _remedy(settings))


def _remedy(settings: Settings) -> str:
    if settings.database_url is None:
        return "geoservice db repair"
    return "Check GEOSERVICE_DATABASE_URL and run geoservice db init --admin-url ..."


def _inside(settings: Settings, database: Database, connection: sa.Connection) -> Iterator[Finding]:
    yield from _versions(connection)
    yield from _roles(settings, database, connection)
    yield from _server(settings, connection)
    found, wanted = migrate.current(connection), migrate.head()
    if found == wanted:
        yield Finding(Level.OK, "system tables", f"They are at revision {found}.")
    else:
        text = f"They are at revision {found}, this version needs {wanted}."
        yield Finding(Level.PROBLEM, "system tables", text, "geoservice db upgrade")


def _versions(connection: sa.Connection) -> Iterator[Finding]:
    can = probe(connection)
    major, minor = can.postgres
    text = f"PostgreSQL {major}.{minor}, PostGIS {can.postgis}, GEOS {can.geos}, PROJ {can.proj}."
    yield Finding(Level.OK, "versions", text)
    if can.mode == "policies":
        yield Finding(Level.OK, "access net", "Row policies on the tables; they keep the spatial index.")
    else:
        text = "One schema of views per clearance, because && is not LEAKPROOF here: weaker against arbitrary SQL."
        yield Finding(Level.NOTE, "access net", text)


def _roles(settings: Settings, database: Database, connection: sa.Connection) -> Iterator[Finding]:
    names = [database.role_name(role) for role in Role if role is not Role.ADMIN]
    rows = connection.execute(sa.text(statement("role_powers.sql")), {"names": names}).all()
    remedy = "geoservice db repair" if settings.database_url is None else "geoservice db init --admin-url ..."
    sound = True
    for row in rows:
        faults = [name for name in ("missing", "powerful", "creates", "locked_out") if getattr(row, name)]
        if faults:
            sound = False
            text = f"The role {row.name} is not as it should be: {', '.join(faults).replace('_', ' ')}."
            yield Finding(Level.PROBLEM, "roles", text, remedy)
    if sound:
        yield Finding(Level.OK, "roles", f"{len(names)} roles without special powers; readers create nothing.")


def _server(settings: Settings, connection: sa.Connection) -> Iterator[Finding]:
    row = connection.execute(sa.text(statement("server_settings.sql"))).one()
    for name in ("fsync", "full_page_writes"):
        if getattr(row, name) != "on":
            text = f"{name} is off: a power failure can destroy data."
            yield Finding(Level.PROBLEM, "durability", text, f"Switch {name} on in the server's configuration.")
    if settings.database_url is None and row.listen_addresses:
        text = f"The private database listens on {row.listen_addresses}."
        yield Finding(Level.PROBLEM, "durability", text, "geoservice db stop, then geoservice db start")


def check_parameters(settings: Settings) -> Iterator[Finding]:
    """Registered transformation parameters are in order, in force, and as closed as they are secret."""
    try:
        registered = read_catalog(settings.layers_dir).transformations.values()
    except DefinitionError as error:
        yield Finding(Level.PROBLEM, "transformations", error.detail, "Correct the file; geoservice layers check.")
        return
    if not registered:
        text = "No parameters are registered: Beijing 1954, Xian 1980 and New Beijing are refused."
        yield Finding(Level.OK, "transformations", text)
    for one in registered:
        yield from parameter_findings(one, dt.datetime.now(dt.UTC).date())


def parameter_findings(registered: Transformation, today: dt.date) -> Iterator[Finding]:
    """Judge one set of parameters on a day."""
    subject = f"transformation {registered.name}"
    try:
        if isinstance(registered, Grid) and registered.path is not None:
            registered.verify(registered.path)
    except DefinitionError as error:
        yield Finding(Level.PROBLEM, subject, error.detail, "Put the registered grid beside its file.")
        return
    file = registered.folder / f"{registered.name}.yaml" if registered.folder is not None else None
    if registered.secrecy > Clearance.PUBLIC and file is not None and stat.S_IMODE(file.stat().st_mode) & 0o007:
        text = f"{file} is {registered.secrecy.label} and can be read by every user."
        yield Finding(Level.PROBLEM, subject, text, f"chmod o= {file}")
    elif not registered.on(today):
        yield Finding(Level.NOTE, subject, "It is not in force today.")
    else:
        residual = registered.residual
        text = f"In force; residual {residual.rmse:g} m at {residual.points} check points, owner {registered.owner}."
        yield Finding(Level.OK, subject, text)


CHECKS: tuple[Check, ...] = (
    check_packages,
    check_disk,
    check_binaries,
    check_socket,
    check_credentials,
    check_parameters,
    check_cluster,
    check_contents,
    check_listener,
    check_renderer,
    check_browser,
)
