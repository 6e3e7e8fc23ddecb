"""Whether a result may still be handed out: by the definitions, and by the rows as they are now."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from geoservice.exports.errors import ExportClosed
from geoservice.processes.model import Output
from layers.access import Clearance, Principal, decide
from layers.catalog import Catalog
from layers.model import RasterLayer, RowLayer
from layers.table import current_table, history_table


def facts_of(layer: RowLayer, clearance: Clearance, attributes: tuple[str, ...], *, past: bool) -> dict[str, Any]:
    """What must be known of a result to judge it later; the edition is among what it says of itself."""
    return {"layer": layer.name, "clearance": clearance.label, "attributes": list(attributes), "past": past}


def require_open(connection: sa.Connection, catalog: Catalog, asker: Principal, output: Output) -> None:
    """Make sure that nothing in a result was closed to whoever asks.

    Args:
        connection: Of the writer, who sees all rows.
        catalog: The layers as they are defined now.
        asker: Who asks.
        output: The result; one that does not say what it was made of passes.

    Raises:
        ExportClosed: When something was; asking for a new export helps.
    """
    if "clearance" in output.facts and not _open(connection, catalog, asker, output.facts):
        raise ExportClosed("Something in this result was closed to its readers since it was made; ask for a new one.")


def _open(connection: sa.Connection, catalog: Catalog, asker: Principal, facts: dict[str, Any]) -> bool:
    layer, level = catalog.layers.get(facts["layer"]), Clearance.parse(facts["clearance"])
    if layer is None or isinstance(layer, RasterLayer) or asker.clearance < level:
        return False
    decision = decide(Principal(asker.id, level), "read", layer)
    if not decision.allowed or not set(facts["attributes"]) <= set(decision.attributes):
        return False
    edition = facts.get("edition")
    if edition is None or level is max(Clearance):
        return True
    closed = closed_since(layer, int(edition), level, past=facts["past"])
    return not connection.execute(sa.select(closed)).scalar_one()


def closed_since(layer: RowLayer, edition: int, level: Clearance, *, past: bool) -> sa.Exists:
    """Whether rows that an edition showed to a level were closed to it by a later one.

    A higher clearance of a row closes its former versions too. An edit of a row that was above the readers all the
    time counts as well: what was closed in history does not tell since when.

    Args:
        layer: The layer.
        edition: Number of the edition.
        level: The level of the readers.
        past: Whether rows were shown as they were at an earlier time.
    """
    current, former = current_table(layer), history_table(layer)
    closed = [former.c["_edition"] <= edition, former.c["_clearance"] > int(level)]
    ended = former.c["_ended_by"] > edition
    if not past:
        return sa.exists().where(*closed, ended)
    later = former.alias("later")
    now = sa.exists().where(current.c.key == former.c.key, current.c["_edition"] > edition)
    then = sa.exists().where(later.c.key == former.c.key, later.c["_edition"] > edition)
    return sa.exists().where(*closed, sa.or_(now, then, ended))
