"""Reading the register of changes: all pairs that are connected with a code, however many steps away."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer import codes
from geoservice.gazetteer.history import Change
from geoservice.gazetteer.surroundings import CHANGES, Gazetteer, attribute, visible
from layers.table import current_table

_NEEDED = ("effective", "kind", "from_code", "to_code")
_FURTHER = ("from_name", "to_name", "note_zh", "note_en")


async def changes_about(gazetteer: Gazetteer, code: str) -> list[Change]:
    """The changes that a unit, its predecessors, its successors and their relatives went through, in their order.

    Raises:
        UnknownLayer: When the asker may not see the register, or what it says of codes.
    """
    rows = await gazetteer.fetch(("changes",), lambda: _statement(gazetteer), {"codes": codes.spellings(code)})
    return [_change(row) for row in rows]


def _statement(gazetteer: Gazetteer) -> sa.Select[Any]:
    layer, decision = gazetteer.open(CHANGES, _NEEDED)
    table = current_table(layer)
    wanted = sa.func.unnest(sa.bindparam("codes", type_=ARRAY(sa.Text()))).column_valued("wanted")
    reach = sa.select(wanted.label("code")).cte("reach", recursive=True)
    pair = table.alias("pair")
    other = sa.case((pair.c.from_code == reach.c.code, pair.c.to_code), else_=pair.c.from_code)
    met = sa.or_(pair.c.from_code == reach.c.code, pair.c.to_code == reach.c.code)
    reach = reach.union(sa.select(other).select_from(reach.join(pair, met)).where(visible(pair, decision)))
    columns = [attribute(table, decision, name) for name in (*_NEEDED, *_FURTHER)]
    met_code = table.c.from_code.in_(sa.select(reach.c.code)), table.c.to_code.in_(sa.select(reach.c.code))
    return (
        sa.select(*columns)
        .where(visible(table, decision), sa.or_(*met_code))
        .order_by(table.c.effective, sa.collate(table.c.key, "C"))
    )


def _change(row: Any) -> Change:
    former, later = (codes.canonical(row[name]) if row[name] else None for name in ("from_code", "to_code"))
    return Change(
        effective=row["effective"],
        kind=row["kind"],
        former=former,
        later=later,
        names=(row["from_name"], row["to_name"]),
        note=(row["note_zh"], row["note_en"]),
    )
