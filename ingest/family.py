"""The family of a source: the files that make it up. Everything that copies, counts or sends a source asks here.

A Shapefile or a MapInfo table is several files of one stem; a file geodatabase is a folder of files. Only the first
was named by somebody, so a link in the family must not bring in a file from elsewhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ingest.raster_family import raster_siblings
from layers.errors import SourceMissing, SourceUnreadable

FOLDER = ".gdb"
"""Extension of the one kind of folder that is a source: Esri's file geodatabase."""
SIBLINGS: dict[str, frozenset[str]] = {
    ".shp": frozenset({".shx", ".dbf", ".prj", ".cpg", ".qpj"}),
    ".tab": frozenset({".dat", ".map", ".id", ".ind"}),
    ".mif": frozenset({".mid"}),
}
"""Extension of a source -> extensions of the files of the same stem that belong to it, all in lower case."""
_BLOCK = 1 << 20
_MOST_FILES = 20_000


def is_source(path: Path) -> bool:
    """Whether something that can be loaded stands at a place: a file, or the folder of a file geodatabase."""
    return path.is_file() or (path.suffix.lower() == FOLDER and path.is_dir())


def siblings(path: Path) -> tuple[Path, ...]:
    """The other files of a source, in the order of their names; none for most formats.

    For a folder that is a source: the files in it.

    Raises:
        SourceUnreadable: When one of them is a link to another folder, when one has another spelling of the same
            extension (`a.dbf` beside `a.DBF`), or when a folder holds more files than any honest one.
    """
    if path.is_dir():
        found = _inside(path)
    else:
        wanted = SIBLINGS.get(path.suffix.lower(), frozenset())
        found = [p for p in path.parent.iterdir() if _belongs(p, path, wanted)] if wanted else []
        _refuse_doubles(found)
        found += raster_siblings(path)
    _refuse_links(path, found)
    return tuple(sorted(found))


def members(path: Path) -> tuple[Path, ...]:
    """All files of a source, in the order of their names: the named one with its siblings, or those of a folder.

    Raises:
        SourceUnreadable: As `siblings` does.
    """
    return siblings(path) if path.is_dir() else tuple(sorted((path, *siblings(path))))


def identity(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 (hexadecimal) of all files of a source, one after the other in order of names.

    Raises:
        SourceMissing: When it is no readable source.
        SourceUnreadable: As `siblings` does.
    """
    if not is_source(path):
        raise SourceMissing(f"There is no file {path.name} at the place given.", source=path.name)
    digest, size = hashlib.sha256(), 0
    try:
        for file in members(path):
            with file.open("rb") as handle:
                while block := handle.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
    except PermissionError:
        raise SourceMissing(f"{path.name} may not be read by this user.", source=path.name) from None
    return size, digest.hexdigest()


def _belongs(path: Path, source: Path, wanted: frozenset[str]) -> bool:
    # Windows does not tell A.DBF from a.dbf, and agencies send both beside one a.shp.
    return path.stem.lower() == source.stem.lower() and path.suffix.lower() in wanted and path.is_file()


def _inside(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.is_file()]
    if len(found) > _MOST_FILES:
        raise SourceUnreadable(
            f"The folder {folder.name} holds {len(found)} files, more than the {_MOST_FILES} that are allowed.",
            source=folder.name,
        )
    return found


def _refuse_doubles(found: list[Path]) -> None:
    names = [p.name.lower() for p in found]
    double = next((n for n in names if names.count(n) > 1), None)
    if double is not None:
        raise SourceUnreadable(f"There are two files {double} that differ in upper and lower case only; keep one.")


def _refuse_links(path: Path, found: list[Path]) -> None:
    homes = {path.resolve()} if path.is_dir() else {path.parent.resolve(), path.resolve().parent}
    stranger = next((p for p in found if p.resolve().parent not in homes), None)
    if stranger is not None:
        raise SourceUnreadable(f"{stranger.name} is a link to another folder; such a file is not read.")
