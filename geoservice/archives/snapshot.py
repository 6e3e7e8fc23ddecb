"""One view of the database for everything that goes into an archive, as the reader of its clearance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import shapely
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from geoservice.archives.request import reader
from geoservice.db.credentials import Role
from geoservice.db.engine import Database, unavailable
from geoservice.db.reading import Reading
from geoservice.features.assets import assets_of, assets_statement
from geoservice.features.lookup import shapes_statement
from geoservice.features.state import LayerState, state_of, state_statement
from layers.access import Clearance, Decision, decide
from layers.asset import Asset
from layers.catalog import Catalog
from layers.errors import BadParameter, UnknownFeature
from layers.model import Layer, RasterLayer, VectorLayer
from layers.system import layer_state
from tiles.archive.vectors import Snapshot

DIVISIONS = "division"


@dataclass(frozen=True)
class View:
    """An open transaction that others can see through.

    Attributes:
        connection: Of the reader, within the transaction.
        snapshot: For those who draw.
        clearance: Of the reader.
    """

    connection: sa.Connection
    snapshot: Snapshot
    clearance: Clearance

    def states(self, layers: Sequence[Layer]) -> dict[str, LayerState]:
        """Editions, extents and sources of layers, as the reader may know them."""
        names = [layer.name for layer in layers]
        rows = self.connection.execute(state_statement(self.clearance), {"names": names}).mappings()
        found = {row["layer"]: state_of(dict(row)) for row in rows}
        return {name: found.get(name, LayerState(name)) for name in names}

    def ladders(self, layers: Sequence[Layer]) -> dict[str, int | None]:
        """The edition that the ladder of each layer shows; None where it has none."""
        names = [layer.name for layer in layers]
        rows = self.connection.execute(
            sa.select(layer_state.c.layer, layer_state.c.ladder).where(layer_state.c.layer.in_(names))
        )
        return dict.fromkeys(names) | {row.layer: row.ladder for row in rows}

    def assets(self, layer: RasterLayer, decision: Decision, database: Database) -> tuple[Asset, ...]:
        """The files of a raster layer, the topmost first."""
        rows = self.connection.execute(assets_statement(layer, decision.rule)).mappings().all()
        return tuple(assets_of(layer, [dict(row) for row in rows], database.settings.home / "rasters"))

    def division(self, catalog: Catalog, adcode: str) -> shapely.Geometry:
        """The surface of an administrative division in degrees.

        Raises:
            UnknownFeature: When there is none that the reader may see.
        """
        layer = catalog.layer(DIVISIONS)
        decision = decide(reader(self.clearance), "read", layer)
        if not isinstance(layer, VectorLayer) or not decision.allowed:
            raise UnknownFeature("There are no divisions that readers of this clearance may see; give a bbox.")
        rows = self.connection.execute(
            shapes_statement(layer, decision),
            {"wanted": adcode},
            execution_options={"schema_translate_map": self.snapshot.schema} if self.snapshot.schema else {},
        ).all()
        shapes = [shapely.set_srid(shapely.from_wkb(bytes(row.geometry)), 0) for row in rows if row.geometry]
        if not shapes:
            raise UnknownFeature(f"There is no division {adcode[:20]!r} with a boundary; load layer {DIVISIONS} first.")
        return shapely.union_all(shapes)


@contextmanager
def view(database: Database, clearance: Clearance) -> Iterator[View]:
    """Open a view; it is the same for all until the block ends.

    Raises:
        DatabaseUnavailable: When the server does not answer.
    """
    role = Role.reader(clearance)
    engine = database.sync_engine(role).execution_options(isolation_level="REPEATABLE READ")
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise unavailable(error.orig) from None
    with connection, connection.begin():
        views = connection.execute(sa.select(sa.func.to_regnamespace("read_public").is_not(None))).scalar_one()
        name = connection.execute(sa.select(sa.func.pg_export_snapshot())).scalar_one()
        schema = Reading("views" if views else "policies").schema(clearance)
        yield View(connection, Snapshot(database.dsn(role), name, schema), clearance)


def box(bounds: Sequence[float]) -> shapely.Geometry:
    """The surface of west, south, east, north (degrees); one across 180 degrees has two parts.

    Raises:
        BadParameter: When it has no area.
    """
    west, south, east, north = bounds
    sides = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    found: shapely.Geometry = shapely.union_all([shapely.box(a, south, b, north) for a, b in sides])
    if not shapely.area(found):
        raise BadParameter("The box has no area: west and east, south and north must differ.", parameter="bbox")
    return found
