"""Files that are only a part of a source: which they are, and of what."""

from __future__ import annotations

_SIDE_FILES = {
    ".aux.xml": ("", "a raster"),
    ".shx": (".shp", "a Shapefile"),
    ".dbf": (".shp", "a Shapefile"),
    ".prj": (".shp", "a Shapefile"),
    ".cpg": (".shp", "a Shapefile"),
    ".qpj": (".shp", "a Shapefile"),
    ".map": (".tab", "a MapInfo table"),
    ".mid": (".mif", "a MapInfo interchange file"),
}
"""Ending of a side file -> ending of the file that it belongs to, and what that is."""


def lone_part(name: str) -> str | None:
    """A sentence that names the file to load in place of a side file; None for other files.

    Args:
        name: Name of the file, of any case.
    """
    for ending, (main, whole) in _SIDE_FILES.items():
        if name.lower().endswith(ending):
            return f"{name} is only a part of {whole}; load {name[: -len(ending)]}{main}, with it beside."
    return None
