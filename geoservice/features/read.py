"""Reading features: the page statement, the item statement, and how they run.

PostgreSQL writes the GeoJSON (`geoservice.features.geojson`); Python passes the text on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.filtering import calculable
from geoservice.features.geojson import features_select
from geoservice.features.order import ordering
from geoservice.features.past import edition_then, is_final
from geoservice.features.query import FeatureQuery
from geoservice.features.rows import chosen_attributes, may_go_in_turn, rows_statement
from layers.access import Decision
from layers.errors import BadParameter
from layers.model import RowLayer
from layers.system import layer_figures, layer_state

MOST_IN_TURN = 20_000
"""Features that are put in order before they are looked at; beyond that the database finds its own way."""
_INTERNAL_ERROR = "XX000"
_OF_TRANSFORMATION = "transform:"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: GeoJSON texts of the features joined by commas, in their order, and what surrounds them.

    Attributes:
        features: The features.
        returned: Their number.
        before: Number of the feature at which the page before this one ends; None when this is the first one.
        after: Number of the feature behind which the next page begins; None when this is the last one.
        matched: The exact number of all features where it is known for free, else None.
        edition: The edition of the layer that the page shows; None while nothing is loaded.
        final: Whether the page shows a past that no later change can touch.
        total: The number of all features of the layer that the asker may see now.
        estimate: About how many features there are, where the exact number is not known.
    """

    features: str
    returned: int
    before: int | None
    after: int | None
    matched: int | None
    edition: int | None
    final: bool = False
    total: int = 0
    estimate: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One feature: its GeoJSON text and the edition that wrote it; `final` as of a page."""

    feature: str
    edition: int
    final: bool = False


async def read_page(
    connection: RawConnection, reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery
) -> Page:
    """Read one page of a collection in the order of its query.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements of this process.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: What is asked.

    Raises:
        BadParameter: When a geometry lies where the coordinate reference system of the answer does not reach.
    """
    compiled, values = _page_statement(reading, layer, decision, query)
    with within_domain(query), calculable(query.filter):
        row = await connection.fetchrow(compiled.sql, *compiled.arguments(values))
    if row is None:
        raise LookupError("the page statement always returns one row")
    more, returned = row["found"] > query.limit, min(row["found"], query.limit)
    first, last = row["first"], row["last"] if more else None
    started = first if query.start is not None else None
    whole = query.start is None and not more
    return Page(
        features=row["features"],
        returned=returned,
        before=last if query.backward else started,
        after=started if query.backward else last,
        matched=returned if whole else None if query.filtered(layer) else row["rows"],
        edition=row["edition"],
        final=row["final"],
        total=row["rows"],
    )


async def read_item(
    connection: RawConnection,
    reading: Reading,
    layer: RowLayer,
    decision: Decision,
    key: str,
    query: FeatureQuery | None = None,
) -> Item | None:
    """Read one feature by its public key, as of an instant or as it is now.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements of this process.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        key: Public id of the feature.
        query: As of when, which attributes, how its geometry is written; the rest is not looked at.

    Returns:
        None when there is, or was then, none that the principal may see.
    """
    asked = query or FeatureQuery(1)
    one = FeatureQuery(1, as_of=asked.as_of, ids=(key,), properties=asked.properties, look=asked.look)
    shape = ("item", layer.name, decision.rule.max_clearance, decision.attributes, one.shape(layer))
    compiled = reading.statements.get(shape)
    if compiled is None:
        statement = item_statement(layer, decision, one)
        compiled = compile_statement(statement, reading.schema(decision.rule.max_clearance))
        reading.keep(shape, compiled)
    with within_domain(one):
        row = await connection.fetchrow(compiled.sql, *compiled.arguments(one.values(layer)))
    return None if row is None else Item(row["feature"], row["edition"], row["final"])


def page_statement(layer: RowLayer, decision: Decision, query: FeatureQuery) -> sa.Select[Any]:
    """The statement of a page: one row with the joined features, the count (up to limit + 1) and the state.

    `first` and `last` are the numbers of the features at its ends, in the direction in which it was read.
    """
    limit = sa.bindparam("limit", type_=sa.BigInteger())
    past = query.as_of is not None
    chosen = rows_statement(layer, decision, query, extra=1).subquery("chosen")
    number = sa.func.row_number().over(order_by=ordering(chosen.c, query)).label("number")
    attributes = chosen_attributes(decision, query)
    written = features_select(layer, chosen, attributes, query.look, named=query.named)
    page = written.add_columns(chosen.c.fid, number).subquery("page")
    inside = page.c.number <= limit
    order = page.c.number.desc() if query.backward else page.c.number
    text = sa.func.string_agg(sa.cast(page.c.feature, sa.Text()), aggregate_order_by(sa.literal_column("','"), order))
    rank = int(decision.rule.max_clearance)
    figures = layer_figures
    total = sa.select(figures.c.rows).where(figures.c.layer == layer.name, figures.c.clearance == rank)
    latest = sa.select(layer_state.c.edition).where(layer_state.c.layer == layer.name).scalar_subquery()
    return sa.select(
        sa.func.coalesce(text.filter(inside), "").label("features"),
        sa.func.count().label("found"),
        sa.func.max(page.c.fid).filter(page.c.number == 1).label("first"),
        sa.func.max(page.c.fid).filter(page.c.number == limit).label("last"),
        sa.func.coalesce(total.scalar_subquery(), 0).label("rows"),
        (edition_then(layer) if past else latest).label("edition"),
        (is_final(layer) if past else sa.false()).label("final"),
    ).select_from(page)


def item_statement(layer: RowLayer, decision: Decision, query: FeatureQuery) -> sa.Select[Any]:
    """The statement of one feature by key, as it is now or as of the bound instant."""
    rows = rows_statement(layer, decision, query).subquery("chosen")
    page = features_select(layer, rows, chosen_attributes(decision, query), query.look).subquery("page")
    final = (is_final(layer) if query.as_of is not None else sa.false()).label("final")
    return sa.select(sa.cast(page.c.feature, sa.Text()).label("feature"), page.c.edition, final)


@contextmanager
def within_domain(query: FeatureQuery) -> Iterator[None]:
    """Say in words of the request that a projection does not reach a geometry.

    Raises:
        BadParameter: In place of the server's error.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate != _INTERNAL_ERROR or not str(error).startswith(_OF_TRANSFORMATION):
            raise
        raise BadParameter(
            f"The answer holds a feature that {query.look.crs.uri} does not reach; ask for an area near its own by "
            "bbox, or for another crs.",
            parameter="crs",
        ) from error


def _page_statement(
    reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery
) -> tuple[Compiled, Mapping[str, Any]]:
    clearance = decision.rule.max_clearance
    if may_go_in_turn(layer, query) and _looks_at_few(reading, layer, decision, query):
        query = replace(query, in_turn=True)
    shape = ("page", layer.name, clearance, decision.attributes, query.shape(layer))
    compiled = reading.statements.get(shape)
    if compiled is None:
        compiled = compile_statement(page_statement(layer, decision, query), reading.schema(clearance))
        reading.keep(shape, compiled)
    return compiled, query.values(layer)


def _looks_at_few(reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery) -> bool:
    """Whether a sample of what the asker may see says that few features have a box where the query looks."""
    sample = reading.samples.get((layer.name, int(decision.rule.max_clearance)))
    if sample is None or not sample.seen:
        return False
    share = int(np.count_nonzero(sample.may_meet(query))) / sample.seen
    return share * sample.total <= MOST_IN_TURN
