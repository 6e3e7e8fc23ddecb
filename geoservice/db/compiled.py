"""Statements compiled once for asyncpg: SQL text with numbered parameters, and the order of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

_DIALECT = PGDialect_asyncpg()


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL for asyncpg, the parameter names in order, and the values that were bound when it was built."""

    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Values in the order of the placeholders; a name without a value keeps what the statement was built with.

        Raises:
            KeyError: When a parameter has neither.
        """
        return [values[n] if n in values else self.fixed[n] for n in self.names]


def compile_statement(statement: sa.Select[Any], schema: Mapping[str, str] | None = None) -> Compiled:
    """Compile a select for asyncpg.

    Args:
        statement: The select; its bind parameters are named by whoever builds it.
        schema: Schema names to replace (for servers where readers see views instead of tables).
    """
    compiled = statement.compile(
        dialect=_DIALECT,
        schema_translate_map=dict(schema) if schema else None,
        compile_kwargs={"render_postcompile": True},
    )
    if schema:
        # Compilation leaves marks for the schema names; executing engines fill them in, and so do we.
        text = _DIALECT.identifier_preparer._with_schema_translate(dict(schema))._render_schema_translates(
            str(compiled), dict(schema)
        )
    else:
        text = str(compiled)
    names = tuple(compiled.positiontup or ())
    return Compiled(text, names, dict(compiled.params))
