"""Numbers of rows in a source: programs count them from 0 (positions), people from 1 (rows).

The first row of data is row 1: the header of a table does not count, nor do blank lines above it. Inside, in batches,
landing tables and `meta.quarantine.position`, rows bear positions; in whatever a person or another program is given
(reports, findings, lists, exports, sentences) they bear rows. This is where one becomes the other.
"""

from __future__ import annotations

FIRST_ROW = 1
"""The number of the row at position 0."""


def row_number(position: int) -> int:
    """The number that people know a row by, from 1.

    Args:
        position: Number of the row in its source, from 0.
    """
    return int(position) + FIRST_ROW


def position_of(row: int) -> int:
    """The opposite of `row_number`."""
    return row - FIRST_ROW
