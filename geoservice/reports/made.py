"""A finished report, and the names of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geoservice.reports.carrier import GPKG_NAME, HTML_NAME, PDF_NAME, XLSX_NAME
from geoservice.reports.seal import Sealed

NAMES = {"html": HTML_NAME, "pdf": PDF_NAME, "gpkg": GPKG_NAME, "xlsx": XLSX_NAME}
"""Names of the files by format."""
ALL = frozenset(NAMES)


@dataclass(frozen=True)
class Made:
    """A finished report: the seal, and its files with the seal in them, by format."""

    sealed: Sealed
    files: Mapping[str, bytes]
