"""The watch file: folders whose files are loaded, schedules of loads, and feeds, as one YAML document."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import yaml
from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from layers.errors import ConfigurationError


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("a folder is named by its whole path")
    return path


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected a time zone such as Asia/Shanghai") from None
    return name


def _known_cron(text: str) -> str:
    try:
        CronSim(text, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    except CronSimError as error:
        raise ValueError(f"expected a cron expression such as '30 2 * * *': {error}") from None
    return text


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WatchedFolder(_Entry):
    """A folder whose files are loaded.

    Attributes:
        folder: Its path. `done/` and `refused/` are made in it.
        layer: Layer of all files; without it the one layer whose mapping fits a file's name.
        mapping: Source mapping; found by the file's name when absent.
        settle: Seconds for which size and time of a file stand still before it is taken for complete.
        owner: Who delivers, for the lineage.
    """

    folder: Annotated[Path, AfterValidator(_absolute)]
    layer: str | None = None
    mapping: str | None = None
    settle: float = Field(default=10.0, ge=0, le=86_400)
    owner: str | None = None


class Schedule(_Entry):
    """A load that is repeated.

    Attributes:
        name: Its name, kept in the database.
        cron: Five fields: minute, hour, day of month, month, day of week.
        zone: Time zone in which they are meant.
        layer: Layer to load into.
        source: Path or address; absent for a replay.
        replay: Whether open rows of the layer's quarantine are loaded again, instead of a source: what was refused
            for want of another row may pass today.
        mapping: Source mapping; found by the source's name when absent.
        owner: Who delivers, for the lineage.
    """

    name: str = Field(min_length=1, max_length=100)
    cron: Annotated[str, AfterValidator(_known_cron)]
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    layer: str
    source: str | None = None
    replay: bool = False
    mapping: str | None = None
    owner: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Schedule:
        if self.replay == (self.source is not None):
            raise ValueError("expected either a source or `replay: true`")
        return self

    def latest(self, now: dt.datetime) -> dt.datetime:
        """The last planned time that is not after `now`."""
        local = now.astimezone(ZoneInfo(self.zone))
        # Going back from the next minute, so that the present one counts.
        start = local.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        return next(CronSim(self.cron, start, reverse=True)).astimezone(dt.UTC)

    def following(self, now: dt.datetime) -> dt.datetime:
        """The first planned time after `now`."""
        return next(CronSim(self.cron, now.astimezone(ZoneInfo(self.zone)))).astimezone(dt.UTC)


class Into(_Entry):
    """Where answers of a feed are loaded: a layer, and its source mapping (found by the file's name when absent)."""

    layer: str
    mapping: str | None = None


def _plain_name(name: str) -> str:
    if "/" in name or name.startswith("."):
        raise ValueError("a file is named without folders")
    return name


class Feed(_Entry):
    """An address that is asked again and again.

    Attributes:
        name: Its name, kept in the database.
        address: `http` or `https`; its host is among the remote hosts.
        every: Seconds between two questions; after failures more and more.
        into: Layers that its answers are loaded into; or else
        readings: how its answers are written, when they are readings of stations.
        prefix: Stands before the names of stations in readings.
        file: Name under which an answer is loaded; the last part of the address when absent.
        most_bytes: Bytes of the largest answer that is taken.
        owner: Who delivers, for the lineage.
    """

    name: str = Field(min_length=1, max_length=100)
    address: str = Field(pattern=r"^https?://", max_length=2000)
    every: float = Field(default=300.0, ge=5, le=86_400)
    into: tuple[Into, ...] = ()
    readings: Literal["csv", "ndjson", "openaq"] | None = None
    prefix: str = Field(default="", max_length=100)
    file: Annotated[str, AfterValidator(_plain_name)] | None = Field(default=None, min_length=1, max_length=100)
    most_bytes: int = Field(default=64 << 20, ge=1, le=1 << 30)
    owner: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Feed:
        if bool(self.into) == (self.readings is not None):
            raise ValueError("expected either `into` or `readings`")
        return self


class Intake(_Entry):
    """All that comes by itself."""

    format: Literal[1]
    watch: tuple[WatchedFolder, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    feeds: tuple[Feed, ...] = ()


NOTHING = Intake(format=1)


def read_intake(file: Path | None) -> Intake:
    """Read a watch file; nothing comes by itself without one.

    Raises:
        ConfigurationError: When it cannot be read or is wrong; the sentence names the place.
    """
    if file is None:
        return NOTHING
    try:
        intake = Intake.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"The watch file {file.name} cannot be read: {reason}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ConfigurationError(f"The watch file {file.name} is wrong at {place}: {first['msg']}.") from None
    for kind, values in (
        ("folder", [str(w.folder) for w in intake.watch]),
        ("name", [s.name for s in intake.schedules]),
        ("name of a feed", [f.name for f in intake.feeds]),
    ):
        if len(set(values)) != len(values):
            raise ConfigurationError(f"The watch file {file.name} has the same {kind} twice.")
    return intake
