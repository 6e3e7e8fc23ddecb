"""Tables in the terminal: nothing in them is cut off, numbers least of all."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 160
"""Characters per line where the output goes into a file or another program."""


def show(table: Table) -> None:
    """Print a table: texts stand as they are and go on in the next line, numbers stay in one piece."""
    for column in table.columns:
        column.overflow = "fold"
        column.no_wrap = all(_plain(cell).replace(",", "").isdigit() for cell in column.cells if _plain(cell))
    console = Console(markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDE)
    console.print(table)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)
