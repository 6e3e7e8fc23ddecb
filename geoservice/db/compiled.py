"""Statements compiled once for asyncpg: SQL text with numbered parameters, and the order of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

_DIALECT = sa.make_url("postgresql+asyncpg://").get_dialect()()


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
    translation: dict[str, Any] = (
        {"schema_translate_map": dict(schema), "render_schema_translate": True} if schema else {}
    )
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}, **translation)
    names = tuple(compiled.positiontup or ())
    return Compiled(str(compiled), names, dict(compiled.params))
