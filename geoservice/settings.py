"""Every setting of the service, each with its meaning.

Settings are built in two places only: `create_app(settings=None)` and the command line. Each field can be
given as an environment variable with the prefix `GEOSERVICE_` (for example `GEOSERVICE_PORT=8080`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, Secret, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from geoservice.embed_settings import EmbedSettings
from layers.errors import ConfigurationError
from tiles.sets.standard import ZoneFamily

SYSTEM_HOME = Path("/var/lib/geoservice")
DSN_PARAMETERS = frozenset(
    {
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "connect_timeout",
        "application_name",
    }
)


class Dsn(Secret[str]):
    """A PostgreSQL address (URI or key=value form) that never prints its password."""

    def _display(self) -> str:
        parts = self.parameters()
        host = parts.get("host", "local socket")
        return f"postgresql://***@{host}:{parts.get('port', 5432)}/{parts.get('dbname', '')}" if parts else ""

    def parameters(self) -> dict[str, Any]:
        """The libpq parameters of the address, by their libpq names (password included)."""
        return conninfo_to_dict(self.get_secret_value())


def _known_dsn(value: Dsn) -> Dsn:
    try:
        parts = value.parameters()
    except ProgrammingError:
        # The text of the driver's message repeats the address, and with it the password.
        raise ValueError("expected a PostgreSQL address such as postgresql://host:5432/database") from None
    if unknown := sorted(set(parts) - DSN_PARAMETERS):
        raise ValueError(f"unsupported connection parameters: {', '.join(unknown)}")
    if "dbname" not in parts:
        raise ValueError("the address must name a database: postgresql://host:5432/database")
    if "," in parts.get("host", "") or not str(parts.get("port", "5432")).isdecimal():
        raise ValueError("expected a PostgreSQL address with one host and one port number")
    return value


RemoteDsn = Annotated[Dsn, AfterValidator(_known_dsn)]


def parse_dsn(text: str) -> Dsn:
    """Read a PostgreSQL address and check that it is usable.

    Raises:
        ConfigurationError: When it is malformed, names no database or carries an unknown parameter.
    """
    try:
        return _known_dsn(Dsn(text))
    except ValueError as error:
        raise ConfigurationError(f"Database address: {error}.") from None


def default_home() -> Path:
    """The state directory: a system one for root, the user-data directory for everybody else."""
    if os.geteuid() == 0:
        return SYSTEM_HOME
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "geoservice"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Settings(EmbedSettings):
    """All settings; values come from arguments first, then from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="GEOSERVICE_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
    )

    home: AbsolutePath = Field(
        default_factory=default_home,
        description="State directory: embedded database, credentials, raster files, the sample region.",
    )
    database_url: Annotated[Dsn, AfterValidator(_known_dsn)] | None = Field(
        default=None,
        description="Address of an existing PostgreSQL server and database; without it a private cluster is run. "
        "A user in it is the administrator of `geoservice db init`; the service itself uses its own roles.",
    )
    database_name: str = Field(
        default="geoservice",
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="Name of the database inside the embedded cluster.",
    )
    role_prefix: str = Field(
        default="geoservice",
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="Prefix of the five database roles, so that several instances can share one server.",
    )
    credentials_file: AbsolutePath | None = Field(
        default=None,
        description="File (mode 0600) with the passwords of the database roles; default: credentials.json in home.",
    )
    socket_dir: AbsolutePath | None = Field(
        default=None,
        description="Folder of the embedded database's Unix socket; default: run/ in home, or a short runtime "
        "folder when that path is too long for a socket.",
    )
    postgres_bin: AbsolutePath | None = Field(
        default=None,
        description="Folder with initdb, pg_ctl and postgres; default: the newest one found on the machine.",
    )
    postgres_options: dict[Annotated[str, Field(pattern=r"^[a-z_.]+$")], str] = Field(
        default_factory=dict, description="Extra postgresql.conf settings of the embedded cluster, as a JSON object."
    )
    service_user: str = Field(
        default="geoservice",
        pattern=r"^[a-z_][a-z0-9_-]{0,30}$",
        description="System user that runs the embedded database when geoservice itself runs as root.",
    )
    layers_dir: AbsolutePath | None = Field(
        default=None, description="Folder with further themes/ and codes/ that extend the built-in catalogue."
    )
    tile_matrix_sets: AbsolutePath | None = Field(
        default=None,
        description="File with a tile matrix set as JSON (OGC 17-083r4), or folder of such files, offered beside the "
        "built-in ones.",
    )
    gauss_krueger_sets: tuple[ZoneFamily, ...] = Field(
        default=("zone3", "zone6"),
        description="Gauss-Krueger zones of CGCS2000 that are offered as tile matrix sets, as a JSON list: `zone3` and "
        "`zone6` (3 or 6 degrees wide, eastings carry the zone number), `meridian3` (3 degrees wide, without it).",
    )
    data: AbsolutePath | None = Field(
        default=None, description="Local mirror of the open data sources, read instead of the network."
    )
    remote_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts from which remote sources may be fetched, as a JSON list: `name`, `name:port`, and "
        "`name=network` for addresses that are not public (`geo.intern=10.0.0.0/8`). None by default.",
    )
    remote_databases: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")], RemoteDsn] = Field(
        default_factory=dict,
        description="PostGIS databases that may be read as remote sources, as a JSON object: name -> address with "
        "user and password. A source names the connection: `postgresql:name/schema.table`.",
    )
    remote_seconds: float = Field(
        default=3600.0, gt=0, le=86_400, description="Seconds that fetching one remote source may take."
    )
    remote_max_bytes: int = Field(
        default=4 << 30, ge=1_024, description="Most bytes of the snapshot of one remote source."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address on which the service listens.")
    port: int = Field(default=8000, ge=1, le=65535, description="TCP port on which the service listens.")
    workers: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        le=256,
        description="Worker processes; default: one per core.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="Address under which clients reach the service behind a proxy; default: taken from the request.",
    )
    pool_max: int = Field(
        default=6,
        ge=1,
        le=100,
        description="Most connections per clearance, worker and kind (raw and SQLAlchemy); opened on demand.",
    )
    pool_timeout: float = Field(
        default=5.0,
        gt=0,
        le=600,
        description="Seconds to wait for a free database connection, or for rows that a load or another change holds, "
        "before answering 503.",
    )
    connect_timeout: float = Field(default=5.0, gt=0, le=600, description="Seconds to wait for a new connection.")
    statement_timeout: float = Field(
        default=10.0, gt=0, le=3600, description="Seconds one read statement of the service may take."
    )
    tile_timeout: float = Field(
        default=8.0, gt=0, le=3600, description="Seconds drawing one tile may take before answering 503."
    )
    raster_threads: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Threads of each worker that draw tiles of rasters; what takes too long keeps its thread until it "
        "ends.",
    )
    map_renderers: int = Field(
        default=1, ge=1, le=64, description="Most processes that draw maps in each worker; started on demand."
    )
    map_timeout: float = Field(
        default=20.0, gt=0, le=600, description="Seconds drawing one map may take before answering 503."
    )
    map_max_side: int = Field(
        default=4096, ge=256, le=8192, description="Most pixels along a side of a map; at most 16.8 million in all."
    )
    coverage_max_cells: int = Field(
        default=16_777_216,
        ge=1,
        description="Most cells (pixels times bands) of a coverage that is made while its client waits; the process "
        "`coverage` makes larger ones.",
    )
    tile_memory_mb: int = Field(
        default=64, ge=0, le=65_536, description="MiB of tiles that each worker keeps in memory; 0: none."
    )
    tile_disk_mb: int = Field(
        default=2048,
        ge=0,
        le=16_777_216,
        description="MiB of tiles kept on disk, in `kept-tiles` in home, for all processes together; 0: none.",
    )
    tile_stale_seconds: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="Seconds for which a kept tile may be handed out after it has changed, while it is drawn anew; 0: "
        "a changed tile is never handed out.",
    )
    analysis_timeout: float = Field(
        default=60.0, gt=0, le=3600, description="Seconds one statement of an analysis, or of an edit, may take."
    )
    query_memory_mb: int = Field(
        default=1024,
        ge=0,
        le=1_048_576,
        description="MiB of polygons that each worker keeps in memory for joins with points; 0: none, every join goes "
        "through the database.",
    )
    query_batch_bytes: int = Field(
        default=1 << 30, ge=1_024, description="Largest table of a batch query, in bytes, unpacked."
    )
    query_batch_rows: int = Field(
        default=20_000_000, ge=1, description="Most rows of a Parquet file of a batch query, which may be packed small."
    )
    query_batches: int = Field(
        default=4,
        ge=1,
        le=1_000,
        description="Batch queries at a time in each worker, at most half of them of one principal; more are 429.",
    )
    reader_patience: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Seconds for which the answer of a batch or a long page waits for its reader altogether, beyond "
        "those that it takes at 16 KiB per second; then it is broken off.",
    )
    network_max_features: int = Field(
        default=2_000_000, ge=1, le=50_000_000, description="Most features of a layer that is routed on."
    )
    network_patience: float = Field(
        default=20.0,
        gt=0,
        le=600,
        description="Seconds for which the first question about a network waits until it is made before answering 503.",
    )
    default_limit: int = Field(default=10, ge=1, le=10_000, description="Items per page when `limit` is not given.")
    max_limit: int = Field(default=10_000, ge=1, le=100_000, description="Most items per page.")
    stream_max_limit: int = Field(
        default=1_000_000,
        ge=1,
        le=1_000_000_000,
        description="Most items per page of GeoJSON, which is sent while it is read when it has more than `max_limit`.",
    )
    max_zone_vertices: int = Field(
        default=20_000, ge=4, le=1_000_000, description="Most vertices of a geometry in a query."
    )
    impact_max_km2: float | None = Field(
        default=500_000.0,
        gt=0,
        description="Largest zone (km2) of an impact at once; others: a job with a key, or 413.",
    )
    raster_sums_mb: int = Field(
        default=2_048, ge=0, description="Most megabytes of sums kept of rasters of exposure layers; 0 keeps none."
    )
    impact_max_vertices: int | None = Field(
        default=100_000, ge=4, description="The same limit for the vertices of a zone, all estimates together."
    )
    hazard_max_vertices: int = Field(
        default=1_000_000, ge=4, le=10_000_000, description="Most vertices of a hazard zone, or zone of an impact."
    )
    max_body_bytes: int = Field(default=5_000_000, ge=1_024, description="Largest request body, in bytes.")
    edit_version_required: bool = Field(
        default=False,
        description="Take changes of features only with If-Match (or If-Unmodified-Since); others are answered with "
        "428. QGIS sends neither.",
    )
    edit_max_actions: int = Field(
        default=1_000, ge=1, le=100_000, description="Most edits of one request; larger amounts are loaded as a source."
    )
    edit_timeout: float = Field(
        default=10.0, gt=0, le=600, description="Seconds in which the rows of one request must be judged."
    )
    idempotency_hours: float = Field(
        default=24.0, gt=0, le=8760, description="Hours for which answers to requests with Idempotency-Key are kept."
    )
    job_workers: int = Field(
        default=1, ge=0, le=64, description="Worker processes for jobs that `geoservice serve` keeps; 0: none."
    )
    job_concurrency: int = Field(
        default=2, ge=1, le=64, description="Jobs that one worker does at the same time, for different layers."
    )
    job_memory_mb: int = Field(
        default=4096, ge=256, description="Memory of one job with its reader, in MiB; a job that takes more is ended."
    )
    job_timeout: float = Field(default=6 * 3600.0, gt=0, description="Seconds one job may take; then it is ended.")
    job_queue_max: int = Field(
        default=100, ge=1, le=100_000, description="Most waiting jobs of one principal; more are answered with 429."
    )
    event_streams_max: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="Most streams of job progress at a time in each worker process; more are answered with 503.",
    )
    event_streams_each: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="Most streams of job progress of one principal at a time in each worker process; more are answered "
        "with 429.",
    )
    zones_each: int = Field(default=1_000, ge=1, le=1_000_000, description="Most kept hazard zones of one API key.")
    zone_days: float = Field(
        default=1830.0,
        gt=0,
        le=36_500,
        description="Days after which a kept hazard zone is removed that has ended, or says no end, and to which no "
        "report or exercise refers.",
    )
    zone_threads: int = Field(
        default=2, ge=1, le=64, description="Hazard zones that one process makes at the same time; others wait."
    )
    units_each: int = Field(default=1_000, ge=1, le=1_000_000, description="Most units that one API key reports.")
    unit_track_hours: float = Field(
        default=24.0, gt=0, le=24 * 366, description="Hours for which the tracks of units are kept."
    )
    marks_each: int = Field(default=5_000, ge=1, le=1_000_000, description="Most plotted marks of one API key.")
    reports_each: int = Field(default=500, ge=1, le=1_000_000, description="Most kept reports of one API key.")
    report_days: float = Field(
        default=1830.0, gt=0, le=36_500, description="Days after which a kept report and its files are removed."
    )
    report_timeout: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="Seconds that making the files of one report, or its package, may take, waiting included.",
    )
    report_presses: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Reports whose files one process makes at the same time, and packages; others wait.",
    )
    shares_each: int = Field(default=20, ge=1, le=1_000, description="Most links in force to one report.")
    share_days: float = Field(default=30.0, gt=0, le=3_660, description="Days that a link to a report may be in force.")
    share_reads: int = Field(
        default=60, ge=1, le=1_000_000, description="Most files per minute and worker that one link to a report gives."
    )
    alert_lifetime_hours: float = Field(
        default=24.0, gt=0, le=8760, description="Hours for which an alert holds that does not say when it expires."
    )
    alert_signed_only: bool = Field(
        default=False,
        description="Refuse alerts without a valid signature by a registered certificate. Senders who have registered "
        "one must always sign.",
    )
    alert_sender: str | None = Field(
        default=None,
        pattern=r"^[^\s,<&]{1,200}$",
        description="What this installation writes as the sender of its own alerts, such as `eoc@city.example`. "
        "Without it none are released.",
    )
    alert_unit: str = Field(
        default="00000000000000",
        pattern=r"^[0-9A-Z]{14}$",
        description="The 14 characters with which identifiers of its alerts begin (GB/T 35965): six of the division, "
        "three of the sector, three of the unit, two of its own.",
    )
    alert_four_eyes: bool = Field(
        default=True, description="Whether an alert is released by somebody else than who wrote it."
    )
    alert_feeds: tuple[str, ...] = Field(
        default=(),
        description="Addresses of feeds (Atom, EDXL-DE, CAP) from which alerts are taken in, as a JSON list; their "
        "hosts must be among the remote ones.",
    )
    alert_feed_seconds: float = Field(
        default=60.0, ge=5, le=86_400, description="Seconds between two looks at a feed; after failures more and more."
    )
    watch: AbsolutePath | None = Field(
        default=None, description="YAML file with folders to watch and schedules of loads; see the operator's guide."
    )
    source_folders: tuple[AbsolutePath, ...] = Field(
        default=(),
        description="Folders, as a JSON list, below which jobs asked for over HTTP may name files; none by default.",
    )
    max_upload_bytes: int = Field(default=50 << 30, ge=1, description="Largest uploaded file, in bytes.")
    upload_quota_bytes: int = Field(
        default=200 << 30, ge=1, description="Most bytes of one principal's uploads, with those that jobs still hold."
    )
    upload_reserve_bytes: int = Field(default=2 << 30, ge=0, description="Bytes of the disk that uploads leave free.")
    upload_expiry_hours: float = Field(
        default=24.0, gt=0, le=8760, description="Hours after which an upload that no job has used is removed."
    )
    result_expiry_hours: float = Field(
        default=72.0, gt=0, le=8760, description="Hours after which the results of an execution are removed."
    )
    export_max_bytes: int = Field(
        default=20 << 30, ge=1_024, description="Most bytes of the result of one export; a larger one is refused."
    )
    export_quota_bytes: int = Field(
        default=50 << 30, ge=1_024, description="Most bytes of the results of exports that are kept for one principal."
    )
    upload_idle_timeout: float = Field(
        default=30.0, gt=0, le=3600, description="Seconds an upload may stand still before its request is ended."
    )
    uploads_unconfined: bool = Field(
        default=False,
        description="Take uploads also where the reader cannot be shut off from network and files. Dangerous.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Bearer token with which Prometheus reads `/metrics`; without one nothing is measured and the "
        "address does not exist.",
    )
    mqtt_password: SecretStr | None = Field(
        default=None, description="Password with which `geoservice observations listen` logs in at the MQTT broker."
    )
    mqtt_endpoints: list[str] = Field(
        default_factory=list,
        description="Addresses of the MQTT broker at which `geoservice observations listen --sensorthings` takes "
        "observations; the root of SensorThings tells them (JSON list).",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe message that is logged."
    )

    @property
    def credentials_path(self) -> Path:
        """Where the passwords of the database roles are kept."""
        return self.credentials_file or self.home / "credentials.json"


def load_settings(**values: Any) -> Settings:
    """Build the settings from arguments (those that are not None) and the environment.

    Raises:
        ConfigurationError: With one line per setting that is not acceptable; values are not repeated.
    """
    try:
        return Settings(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"])
        lines.append(f"Setting GEOSERVICE_{name.upper()}: {problem['msg']}.")
    return "\n".join(lines)
