"""Looking up exact terms in the index of names: which divisions bear a name, which addresses have a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer import finding
from geoservice.gazetteer.entries import name_attributes
from geoservice.gazetteer.surroundings import Gazetteer, attribute, visible
from layers.access import Decision, decide
from layers.model import VectorLayer
from layers.system import name_tables, term_tables
from layers.table import current_table

MOST_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Named:
    """A feature that bears a name: layer, public key, name, the term that was looked up, its division and a point."""

    layer: str
    key: str
    name: str
    term: str
    adcode: str | None
    point: tuple[float, float] | None


async def named(
    gazetteer: Gazetteer, layer_name: str, terms: Sequence[str], code: str = "", *, beginning: bool = False
) -> list[Named]:
    """Features of a layer with one of some folded names, as their rows stand now.

    Args:
        gazetteer: The surroundings.
        layer_name: The layer; nothing is found in one that the asker may not see.
        terms: Folded names.
        code: Canonical code of a division that the features belong to by their own code; empty for all.
        beginning: Whether names that begin with the first of the terms count too.
    """
    layer = gazetteer.catalog.layers.get(layer_name)
    if not isinstance(layer, VectorLayer) or layer.names is None or not terms:
        return []
    decision = decide(gazetteer.principal, "read", layer)
    if not decision.allowed:
        return []
    values = {"layer": layer_name, "terms": list(terms), "text": terms[0], "last": terms[0] + finding.LAST}
    values |= {"code": code, "code_end": code + ":"}
    shape = ("named", beginning, bool(code))
    rows = await gazetteer.fetch(shape, lambda: _statement(gazetteer, beginning=beginning, coded=bool(code)), values)
    standing = await alive(gazetteer, layer, decision, [row["fid"] for row in rows])
    found = {}
    for row in rows:
        now = standing.get(row["fid"])
        if now is not None and row["name"] in str(now[row["attribute"]]):
            point = (row["lon"], row["lat"]) if row["lon"] is not None else None
            found[row["fid"]] = Named(layer_name, now["key"], row["name"], row["term"], row["adcode"], point)
    return list(found.values())


async def alive(
    gazetteer: Gazetteer, layer: VectorLayer, decision: Decision, fids: list[int]
) -> dict[int, asyncpg.Record]:
    """Rows of a layer by feature number as the asker may see them now: key and the attributes that hold names."""
    if not fids:
        return {}
    shape = ("alive", layer.name, decision.attributes)
    rows = await gazetteer.fetch(shape, _rows_of(layer, decision), {"fids": fids})
    return {row["fid"]: row for row in rows}


def _rows_of(layer: VectorLayer, decision: Decision) -> Callable[[], sa.Select[Any]]:
    def build() -> sa.Select[Any]:
        table = current_table(layer)
        columns = [attribute(table, decision, name) for name in name_attributes(layer)]
        wanted = table.c.fid == sa.any_(sa.bindparam("fids", type_=ARRAY(sa.BigInteger())))
        return sa.select(table.c.fid, table.c.key, *columns).where(visible(table, decision), wanted)

    return build


def _statement(gazetteer: Gazetteer, *, beginning: bool, coded: bool) -> sa.Select[Any]:
    level = gazetteer.principal.clearance + 1
    parts = []
    for names, terms in zip(name_tables[:level], term_tables[:level], strict=True):
        wanted = [names.c.layer == finding.text("layer")]
        if beginning:
            wanted += finding.begins(terms)
        else:
            wanted.append(terms.c.term == sa.any_(sa.bindparam("terms", type_=ARRAY(sa.Text()))))
        if coded:
            wanted += [names.c.adcode >= finding.text("code"), names.c.adcode < finding.text("code_end")]
        geom = sa.type_coerce(names.c.geom, sa.types.NullType())
        spot = (sa.func.ST_X(geom).label("lon"), sa.func.ST_Y(geom).label("lat"))
        columns = [names.c[name] for name in ("fid", "attribute", "name", "adcode")]
        joined = sa.select(*columns, terms.c.term, *spot).join_from(terms, names, names.c.id == terms.c.name)
        parts.append(joined.where(*wanted).limit(MOST_ENTRIES).subquery())
    return sa.select(sa.union_all(*(sa.select(part) for part in parts)).subquery("found"))
