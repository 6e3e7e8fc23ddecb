"""Data-definition statements that SQLAlchemy has no construct for, with identifiers quoted by its compiler.

Covers grants, row policies, row security and the plain views of the second access net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from layers.access import RowRule
from layers.table import row_predicate


@dataclass(frozen=True)
class ReaderRole:
    """A database role that reads rows up to a rule's clearance."""

    name: str
    rule: RowRule


class Grant(ExecutableDDLElement):
    """`GRANT privileges [(columns)] ON table TO role`."""

    inherit_cache = False

    def __init__(self, privileges: Sequence[str], table: sa.Table, role: str, columns: Sequence[str] = ()) -> None:
        """Keep the parts; privileges are SQL keywords from this package only."""
        self.privileges, self.table, self.role, self.columns = privileges, table, role, columns


class RevokeAll(ExecutableDDLElement):
    """`REVOKE ALL ON table FROM role`, column grants included."""

    inherit_cache = False

    def __init__(self, table: sa.Table, role: str) -> None:
        """Keep the parts."""
        self.table, self.role = table, role


class EnableRowSecurity(ExecutableDDLElement):
    """`ALTER TABLE ... ENABLE, FORCE ROW LEVEL SECURITY` (the table's owner is bound too)."""

    inherit_cache = False

    def __init__(self, table: sa.Table) -> None:
        """Keep the table."""
        self.table = table


class DropPolicy(ExecutableDDLElement):
    """`DROP POLICY IF EXISTS name ON table`."""

    inherit_cache = False

    def __init__(self, name: str, table: sa.Table) -> None:
        """Keep the parts."""
        self.name, self.table = name, table


class CreatePolicy(ExecutableDDLElement):
    """`CREATE POLICY name ON table TO role USING (...)`: a reader's rule, or all rows for owner and writer."""

    inherit_cache = False

    def __init__(self, name: str, table: sa.Table, role: str, rule: RowRule | None) -> None:
        """Keep the parts; `rule` None lets all rows through, for writing too."""
        self.name, self.table, self.role, self.rule = name, table, role, rule


class CreateView(ExecutableDDLElement):
    """`CREATE VIEW schema.table AS SELECT columns FROM table WHERE rule`: a plain view, so that indexes serve."""

    inherit_cache = False

    def __init__(self, schema: str, table: sa.Table, columns: Sequence[str], rule: RowRule) -> None:
        """Keep the parts."""
        self.schema, self.table, self.columns, self.rule = schema, table, columns, rule


class AddColumn(ExecutableDDLElement):
    """`ALTER TABLE ... ADD COLUMN name type` (null in the rows that are there)."""

    inherit_cache = False

    def __init__(self, table: sa.Table, column: sa.Column[Any]) -> None:
        """Keep the parts."""
        self.table, self.column = table, column


class DropColumn(ExecutableDDLElement):
    """`ALTER TABLE ... DROP COLUMN name`."""

    inherit_cache = False

    def __init__(self, table: sa.Table, column: str) -> None:
        """Keep the parts."""
        self.table, self.column = table, column


class GrantUsage(ExecutableDDLElement):
    """`GRANT USAGE ON SCHEMA schema TO role`."""

    inherit_cache = False

    def __init__(self, schema: str, role: str) -> None:
        """Keep the parts."""
        self.schema, self.role = schema, role


class DropView(ExecutableDDLElement):
    """`DROP VIEW IF EXISTS schema.name`."""

    inherit_cache = False

    def __init__(self, schema: str, name: str) -> None:
        """Keep the parts."""
        self.schema, self.name = schema, name


class DropDependent(ExecutableDDLElement):
    """`DROP TABLE IF EXISTS table CASCADE`, with the views that show it."""

    inherit_cache = False

    def __init__(self, table: sa.Table) -> None:
        """Keep the table."""
        self.table = table


class Analyse(ExecutableDDLElement):
    """`ANALYZE table`: fresh statistics."""

    inherit_cache = False

    def __init__(self, table: sa.Table) -> None:
        """Keep the table."""
        self.table = table


class RenameTable(ExecutableDDLElement):
    """`ALTER TABLE table RENAME TO name`."""

    inherit_cache = False

    def __init__(self, table: sa.Table, name: str) -> None:
        """Keep the parts."""
        self.table, self.name = table, name


class RenameIndex(ExecutableDDLElement):
    """`ALTER INDEX schema.index RENAME TO name`."""

    inherit_cache = False

    def __init__(self, schema: str, index: str, name: str) -> None:
        """Keep the parts."""
        self.schema, self.index, self.name = schema, index, name


class CreateReadFunction(ExecutableDDLElement):
    """`CREATE OR REPLACE FUNCTION schema.name(zoom integer)`: what a select finds, as the caller may see it.

    The select is read when the function is made and belongs to its tables; whoever calls the function needs the rights
    on them. Nobody but the owner may call it before somebody is granted to.
    """

    inherit_cache = False

    def __init__(self, schema: str, name: str, select: sa.Select[Any] | sa.CompoundSelect[Any]) -> None:
        """Keep the parts; the select may name its argument `$1`."""
        self.schema, self.name, self.select = schema, name, select


class GrantExecute(ExecutableDDLElement):
    """`GRANT EXECUTE ON FUNCTION schema.name(integer) TO role`."""

    inherit_cache = False

    def __init__(self, schema: str, name: str, role: str) -> None:
        """Keep the parts."""
        self.schema, self.name, self.role = schema, name, role


class RevokeExecute(ExecutableDDLElement):
    """`REVOKE ALL ON FUNCTION schema.name(integer) FROM public`, which PostgreSQL grants by itself."""

    inherit_cache = False

    def __init__(self, schema: str, name: str) -> None:
        """Keep the parts."""
        self.schema, self.name = schema, name


def _literal(compiler: DDLCompiler, clause: sa.ClauseElement) -> str:
    return str(compiler.sql_compiler.process(clause, literal_binds=True))


@compiles(Grant)
def _grant(element: Grant, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    columns = f" ({', '.join(quote.quote(c) for c in element.columns)})" if element.columns else ""
    table = quote.format_table(element.table)
    return f"GRANT {', '.join(p + columns for p in element.privileges)} ON {table} TO {quote.quote(element.role)}"


@compiles(RevokeAll)
def _revoke(element: RevokeAll, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return f"REVOKE ALL ON {quote.format_table(element.table)} FROM {quote.quote(element.role)}"


@compiles(EnableRowSecurity)
def _row_security(element: EnableRowSecurity, compiler: DDLCompiler, **_: Any) -> str:
    table = compiler.preparer.format_table(element.table)
    return f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"


@compiles(DropPolicy)
def _drop_policy(element: DropPolicy, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return f"DROP POLICY IF EXISTS {quote.quote(element.name)} ON {quote.format_table(element.table)}"


@compiles(CreatePolicy)
def _create_policy(element: CreatePolicy, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    head = f"CREATE POLICY {quote.quote(element.name)} ON {quote.format_table(element.table)}"
    if element.rule is None:
        return f"{head} TO {quote.quote(element.role)} USING (true) WITH CHECK (true)"
    bare = sa.table(element.table.name, sa.column("_clearance", sa.SmallInteger()))
    rule = _literal(compiler, row_predicate(bare, element.rule))
    return f"{head} FOR SELECT TO {quote.quote(element.role)} USING ({rule})"


@compiles(CreateView)
def _create_view(element: CreateView, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    chosen = sa.select(*(element.table.c[c] for c in element.columns)).where(row_predicate(element.table, element.rule))
    # The select is compiled outside its DDL so that geometry columns are not wrapped for result processing.
    rows = _literal(
        compiler,
        chosen.with_only_columns(*(sa.type_coerce(c, sa.Text()).label(c.name) for c in chosen.selected_columns)),
    )
    return f"CREATE VIEW {quote.quote(element.schema)}.{quote.quote(element.table.name)} AS {rows}"


@compiles(DropView)
def _drop_view(element: DropView, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return f"DROP VIEW IF EXISTS {quote.quote(element.schema)}.{quote.quote(element.name)}"


@compiles(AddColumn)
def _add_column(element: AddColumn, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    kind = element.column.type.compile(compiler.dialect)
    return f"ALTER TABLE {quote.format_table(element.table)} ADD COLUMN {quote.quote(element.column.name)} {kind}"


@compiles(DropColumn)
def _drop_column(element: DropColumn, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return f"ALTER TABLE {quote.format_table(element.table)} DROP COLUMN {quote.quote(element.column)}"


@compiles(GrantUsage)
def _grant_usage(element: GrantUsage, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return f"GRANT USAGE ON SCHEMA {quote.quote(element.schema)} TO {quote.quote(element.role)}"


@compiles(DropDependent)
def _drop_dependent(element: DropDependent, compiler: DDLCompiler, **_: Any) -> str:
    return f"DROP TABLE IF EXISTS {compiler.preparer.format_table(element.table)} CASCADE"


@compiles(RenameTable)
def _rename_table(element: RenameTable, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return f"ALTER TABLE {quote.format_table(element.table)} RENAME TO {quote.quote(element.name)}"


@compiles(RenameIndex)
def _rename_index(element: RenameIndex, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    return (
        f"ALTER INDEX {quote.quote(element.schema)}.{quote.quote(element.index)} RENAME TO {quote.quote(element.name)}"
    )


@compiles(Analyse)
def _analyse(element: Analyse, compiler: DDLCompiler, **_: Any) -> str:
    return f"ANALYZE {compiler.preparer.format_table(element.table)}"


@compiles(CreateReadFunction)
def _create_read_function(element: CreateReadFunction, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    answer = ", ".join(
        f"{quote.quote(str(column.key))} {_answered(column, compiler)}" for column in element.select.selected_columns
    )
    body = _literal(compiler, element.select)
    head = f"CREATE OR REPLACE FUNCTION {quote.quote(element.schema)}.{quote.quote(element.name)}(zoom integer)"
    return f"{head} RETURNS TABLE ({answer}) LANGUAGE sql STABLE BEGIN ATOMIC {body}; END"


def _answered(column: sa.ColumnElement[Any], compiler: DDLCompiler) -> str:
    # A geometry is selected as it is stored, without the type that would convert results.
    if isinstance(column.type, sa.types.NullType):
        return "public.geometry"
    return str(column.type.compile(compiler.dialect))


@compiles(GrantExecute)
def _grant_execute(element: GrantExecute, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    name = f"{quote.quote(element.schema)}.{quote.quote(element.name)}"
    return f"GRANT EXECUTE ON FUNCTION {name}(integer) TO {quote.quote(element.role)}"


@compiles(RevokeExecute)
def _revoke_execute(element: RevokeExecute, compiler: DDLCompiler, **_: Any) -> str:
    quote = compiler.preparer
    name = f"{quote.quote(element.schema)}.{quote.quote(element.name)}"
    return f"REVOKE ALL ON FUNCTION {name}(integer) FROM public"
