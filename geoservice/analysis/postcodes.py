"""The area of a postcode: the divisions that its offices serve.

Postcodes are points with the code of a division; no register draws their areas. The area that is answered is therefore
that of whole divisions, which may have other postcodes as well.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from layers.access import decide
from layers.errors import BadParameter
from layers.model import RowLayer, VectorLayer
from layers.table import AS_OF, held, row_predicate

POSTCODES = "postcode"
_DIGITS = (5, 6)
_CODE, _DIVISION = "postcode", "adcode"
_MOST = 100
"""Divisions of one postcode."""


def read_postcode(text: str) -> str:
    """A postcode as it is written.

    Raises:
        BadParameter: When it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) in _DIGITS):
        raise BadParameter(f"A postcode has 5 or 6 digits; {text[:20]!r} has not.", parameter="postcode")
    return text


async def divisions_of(connection: AsyncConnection, postcode: str, context: AnalysisContext) -> tuple[str, ...]:
    """Codes of the divisions that the visible offices of a postcode serve, in their order; none where there are none.

    Args:
        connection: A read-only connection of the principal's clearance.
        postcode: The postcode.
        context: Who asks, the layers, and as of when.
    """
    layer = context.catalog.layers.get(POSTCODES)
    if not isinstance(layer, RowLayer | VectorLayer):
        return ()
    decision = decide(context.principal, "read", layer)
    if not decision.allowed or not {_CODE, _DIVISION} <= set(decision.attributes):
        return ()

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        same = table.c[_CODE] == sa.bindparam("wanted", type_=sa.Text())
        return sa.select(table.c[_DIVISION].label("code")).where(
            row_predicate(table, decision.rule), same, table.c[_DIVISION].is_not(None)
        )

    found = held(layer, rows_of, past=context.as_of is not None).subquery("found")
    statement = sa.select(found.c.code).distinct().order_by(found.c.code).limit(_MOST)
    options = {"schema_translate_map": context.schema} if context.schema else {}
    values = {"wanted": postcode} if context.as_of is None else {"wanted": postcode, AS_OF: context.as_of}
    rows = await connection.execute(statement, values, execution_options=options)
    return tuple(rows.scalars())
