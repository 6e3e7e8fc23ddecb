"""Archives that the service hands out: a folder of files, each with a record that says what it holds and for whom.

The record is written last and names its file, whose name changes with its content: readers find the former archive or
the new one, whole. What an archive holds was true when it was built, so whether it may still be handed out is decided
anew: by the definitions of its layers as they are now, and by the rows that were closed since.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import sqlalchemy as sa
from pydantic import ConfigDict, ValidationError

from geoservice.archives.describe import OURS
from geoservice.db.files import write_private
from layers.access import Clearance, Principal, decide
from layers.catalog import Catalog
from layers.errors import BadParameter, SourceMismatch, SourceMissing, UnknownLayer, UnknownResource
from layers.model import Frozen, RasterLayer, Text, VectorLayer
from layers.table import history_table

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_BLOCK = 1 << 20
_RECORD = ".json"


class Held(Frozen):
    """One layer of an archive, as it was when the archive was built."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    layer: str
    title: Text
    edition: int | None
    ladder: int | None = None
    committed: str | None = None
    attributes: tuple[str, ...] = ()


class Record(Frozen):
    """What is known of an archive.

    Attributes:
        name: Under which it is asked for.
        file: Its file in the folder.
        size: Of the file in bytes.
        sha256: Of the file.
        clearance: Of those for whom it was built.
        kind: Format of its tiles.
        zooms: Lowest and highest zoom level.
        bounds: West, south, east, north in degrees.
        attribution: Whom to credit.
        layers: What it holds.
    """

    name: str
    file: str
    size: int
    sha256: str
    clearance: Literal["public", "internal", "restricted"]
    kind: str
    zooms: tuple[int, int]
    bounds: tuple[float, float, float, float]
    attribution: str
    layers: tuple[Held, ...]

    @property
    def level(self) -> Clearance:
        """The clearance as a level."""
        return Clearance.parse(self.clearance)


class Registry:
    """The archives of one installation."""

    def __init__(self, folder: Path) -> None:
        """Look after a folder; it is made with the first archive."""
        self.folder = folder

    def publish(self, file: Path, name: str | None = None) -> Record:
        """Take a copy of an archive; one of the same name is replaced.

        Raises:
            BadParameter: When the name is not usable.
            SourceMissing: When there is no such file.
            SourceMismatch: When it is no PMTiles archive that this product built.
        """
        name = file.stem if name is None else name
        if NAME.fullmatch(name) is None:
            raise BadParameter(
                f"{name[:60]!r} cannot be the name of an archive: small letters, digits, - and _ are; choose --name.",
                parameter="name",
            )
        try:
            with file.open("rb") as handle:
                return self._taken(name, handle, _described(handle, file.name))
        except OSError as error:
            raise SourceMissing(f"{file.name} cannot be taken: {error.strerror}.", source=file.name) from error

    def _taken(self, name: str, handle: BinaryIO, about: dict[str, Any]) -> Record:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / f".{name}.{os.getpid()}"
        digest = hashlib.sha256()
        handle.seek(0)
        try:
            with fresh.open("wb") as copy:
                while block := handle.read(_BLOCK):
                    digest.update(block)
                    copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
            text = digest.hexdigest()
            record = Record(name=name, file=f"{name}.{text[:16]}.pmtiles", size=handle.tell(), sha256=text, **about)
            fresh.replace(self.folder / record.file)
        finally:
            fresh.unlink(missing_ok=True)
        write_private(self.folder / f"{name}{_RECORD}", record.model_dump_json(indent=1))
        self._sweep(name, record.file)
        return record

    def withdraw(self, name: str) -> None:
        """Hand an archive out no longer.

        Raises:
            UnknownResource: When there is none of the name.
        """
        if self.find(name) is None:
            raise UnknownResource(
                f"There is no archive {name[:60]!r}; `geoservice tiles archives` lists those there are."
            )
        (self.folder / f"{name}{_RECORD}").unlink()
        self._sweep(name, None)

    def find(self, name: str) -> Record | None:
        """The record of an archive, if there is one."""
        if NAME.fullmatch(name) is None:
            return None
        try:
            return Record.model_validate_json((self.folder / f"{name}{_RECORD}").read_bytes())
        except (OSError, ValidationError):
            return None

    def __iter__(self) -> Iterator[Record]:
        """All archives, by name."""
        found = (self.find(file.stem) for file in sorted(self.folder.glob(f"*{_RECORD}")))
        return iter([record for record in found if record is not None])

    def path(self, record: Record) -> Path:
        """Where the file of an archive lies."""
        return self.folder / record.file

    def _sweep(self, name: str, kept: str | None) -> None:
        """Remove former files of a name; who reads one at this moment reads on."""
        for file in self.folder.glob(f"{name}.*.pmtiles"):
            if file.name != kept:
                file.unlink(missing_ok=True)


def _described(handle: BinaryIO, name: str) -> dict[str, Any]:
    """What an archive says of itself, checked."""
    reader = importlib.import_module("pmtiles.reader")

    def block(offset: int, length: int) -> bytes:
        handle.seek(offset)
        return handle.read(min(length, _BLOCK))

    try:
        found = reader.Reader(block)
        header, metadata = found.header(), found.metadata()
        ours = metadata[OURS]
        return {
            "clearance": ours["clearance"],
            "kind": header["tile_type"].name.lower(),
            "zooms": (header["min_zoom"], header["max_zoom"]),
            "bounds": tuple(header[f"{side}_e7"] / 1e7 for side in ("min_lon", "min_lat", "max_lon", "max_lat")),
            "attribution": str(metadata.get("attribution", "")),
            "layers": tuple(Held.model_validate(one) for one in ours["layers"]),
        }
    except OSError:
        raise
    # Whatever is wrong with a strange file: the library raises what its parts raise.
    except Exception as error:
        raise SourceMismatch(
            f"{name} is no PMTiles archive of `geoservice tiles build`; only these say for whom they were built."
        ) from error


def may_read(catalog: Catalog, principal: Principal, record: Record) -> bool:
    """Whether somebody may read an archive, by the definitions as they are now.

    An attribute or layer that is not defined any more is taken for one that he may not see.
    """
    if principal.clearance < record.level:
        return False
    readers = Principal(principal.id, record.level)
    for held in record.layers:
        try:
            decision = decide(readers, "read", catalog.layer(held.layer))
        except UnknownLayer:
            return False
        if not decision.allowed or not set(held.attributes) <= set(decision.attributes):
            return False
    return True


def is_open(connection: sa.Connection, catalog: Catalog, record: Record) -> bool:
    """Whether no row or file of an archive was closed to its readers since it was built.

    Asked as the writer, who sees all rows. An edit of a row that was above the readers all the time counts as well:
    what was closed in history does not tell since when. Building anew opens the archive again.
    """
    return all(_is_open(connection, catalog, record, held) for held in record.layers)


def _is_open(connection: sa.Connection, catalog: Catalog, record: Record, held: Held) -> bool:
    layer = catalog.layer(held.layer)
    if isinstance(layer, RasterLayer) or record.level is max(Clearance):
        return True
    if not isinstance(layer, VectorLayer) or held.edition is None:
        return False
    past = history_table(layer)
    since = min(held.edition, held.ladder or held.edition)
    closed = sa.select(past.c.fid).where(
        past.c["_ended_by"] > since, past.c["_edition"] <= held.edition, past.c["_clearance"] > int(record.level)
    )
    return not connection.execute(sa.select(sa.exists(closed))).scalar_one()


def as_json(record: Record) -> dict[str, Any]:
    """A record as the service shows it."""
    shown: dict[str, Any] = json.loads(record.model_dump_json(exclude={"file"}))
    return shown
