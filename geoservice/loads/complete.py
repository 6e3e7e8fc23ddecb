"""The complete report of a load for whoever runs the command line: they can read the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.loads.describe import describe
from geoservice.loads.document import LoadReport
from geoservice.loads.kept import filled
from geoservice.loads.record import LoadRecord, extent_statement, load_of, loads_statement
from geoservice.loads.samples import read_samples
from geoservice.loads.view import View
from layers.access import Clearance
from layers.catalog import Catalog
from layers.errors import UnknownResource
from layers.extent import Extent


def complete_report(database: Database, catalog: Catalog, number: int) -> LoadReport:
    """Everything that is kept of a load.

    Raises:
        UnknownResource: When there is no load of this number.
        UnknownLayer: When its layer is no longer in the catalogue.
    """
    with database.transaction(Role.WRITER) as connection:
        record = _one(connection, loads_statement(all_outcomes=True, one=True), {"number": number})
        if record is None:
            raise UnknownResource(f"There is no load {number}; `geoservice ingest load` says the number of each load.")
        layer = catalog.layer(record.layer)
        earlier = {"layer": layer.name, "before": number, "limit": 1}
        former = _one(connection, loads_statement(all_outcomes=False), earlier)
        box = connection.execute(extent_statement(max(Clearance)), {"layer": layer.name}).one_or_none()
        samples = read_samples(connection, record)
    extent = None if box is None or box.west is None else Extent(*box)
    return describe(record, layer, View.FULL, catalog.codelists, former=former, extent=extent, samples=samples)


def _one(connection: sa.Connection, statement: sa.Select[Any], values: Mapping[str, Any]) -> LoadRecord | None:
    row = connection.execute(statement, dict(values)).mappings().one_or_none()
    return None if row is None else filled(connection, [load_of(dict(row))])[0]
