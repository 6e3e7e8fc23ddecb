"""ZIP and KMZ archives: everything is checked before anything is unpacked, and only into the private directory."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ingest.family import FOLDER, SIBLINGS
from ingest.readers.sniff import EXPECTED
from ingest.readers.source import Request
from layers.errors import SourceMismatch, SourceUnreadable

_BLOCK = 1 << 20
_ENCRYPTED = 0x1
_LISTED = 10
_BOMB_RATIO = 200
_BOMB_FLOOR = 64 << 20
_NESTED = frozenset({".zip", ".kmz", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst"})
_RUBBISH = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_RANKS = (
    frozenset(
        {".gdb", ".gpkg", ".shp", ".tab", ".mif", ".fgb", ".parquet", ".geoparquet", ".dxf", ".gpx", ".topojson"}
        | {".geojson", ".geojsonl", ".geojsons", ".ndjson", ".jsonl", ".kml", ".gml", ".pbf"}
    ),
    frozenset({".json", ".csv", ".tsv", ".xlsx", ".xlsm", ".cap", ".edxlde", ".atom"}),
    frozenset({".txt", ".dat", ".xml", ".osm"}),
)
"""Extensions that are tried first, second and third: a readme.txt beside a Shapefile is not the source."""


@dataclass(frozen=True)
class _Found:
    """A source inside an archive: its path there, and the members that make it up."""

    path: str
    members: tuple[zipfile.ZipInfo, ...]


def unpack(request: Request) -> Path:
    """Unpack an archive and tell which member is the source.

    Returns:
        The member, inside the request's scratch directory.

    Raises:
        SourceUnreadable: When the archive is damaged, encrypted, nested, too big, has too many entries, or has an
            entry that would land elsewhere; or when nothing in it is readable.
        SourceMismatch: When it has several sources and the mapping names none of them.
    """
    chosen: list[_Found] = []

    def pick(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
        chosen.append(_choose(request, members))
        return list(chosen[0].members)

    return unpack_all(request, pick) / chosen[0].path


def unpack_all(request: Request, pick: Callable[[list[zipfile.ZipInfo]], list[zipfile.ZipInfo]]) -> Path:
    """Unpack those members of an archive that `pick` chooses among the checked ones.

    Returns:
        The folder that holds them, inside the request's scratch directory.

    Raises:
        SourceUnreadable: As `unpack`.
    """
    target = request.scratch / "unpacked"
    try:
        with zipfile.ZipFile(request.file) as archive:
            wanted = pick(checked_members(request, archive))
            target.mkdir()
            left = request.plan.limits.unpacked
            for member in wanted:
                left = _extract(request, archive, member, target, left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise SourceUnreadable(f"{request.name} is a damaged archive: {error}.", source=request.name) from error
    except OSError as error:
        # Two entries of one name, a name that the file system cannot hold, or a damaged bzip2 stream.
        why = error.strerror or str(error)
        raise SourceUnreadable(f"{request.name} cannot be unpacked: {why}.", source=request.name) from error
    return target


def checked_members(request: Request, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive, after a look at its directory: number, names, sizes, and what makes a bomb.

    Raises:
        SourceUnreadable: Naming the first thing that is not as it should be.
    """
    members = archive.infolist()
    limits = request.plan.limits
    if len(members) > limits.entries:
        raise _refusal(request, f"has {len(members)} entries, more than the {limits.entries} that are allowed")
    for member in members:
        fault = _fault(member)
        if fault is not None:
            raise _refusal(request, f"has the entry {member.filename[:100]!r}, which {fault}")
    packed, size = sum(m.compress_size for m in members), sum(m.file_size for m in members)
    if size > limits.unpacked:
        raise _refusal(request, f"would unpack to {size} bytes, more than the {limits.unpacked} that are allowed")
    if size > _BOMB_FLOOR and size > _BOMB_RATIO * packed:
        raise _refusal(request, f"would unpack to {size // max(packed, 1)} times its size, as no honest data does")
    return [m for m in members if not m.is_dir() and not any(r in m.filename for r in _RUBBISH)]


def _fault(member: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
        return "points outside the archive"
    if "\x00" in member.filename or not path.parts:
        return "has no proper name"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted; pack it again without a password"
    return "is an archive itself; send it unpacked" if path.suffix.lower() in _NESTED else None


def _refusal(request: Request, what: str) -> SourceUnreadable:
    return SourceUnreadable(f"The archive {request.name} {what}.", source=request.name)


def _choose(request: Request, members: list[zipfile.ZipInfo]) -> _Found:
    if not members:
        raise _refusal(request, "is empty: there is no file in it")
    sources = _sources(members)
    for rank in _RANKS:
        found = [s for s in sources if PurePosixPath(s.path).suffix.lower() in rank]
        if found:
            return _only(request, found)
    known = ", ".join(s for s in sorted(EXPECTED) if s not in _NESTED)
    names = ", ".join(m.filename for m in members[:_LISTED])
    raise _refusal(request, f"contains no file that can be read, only {names} (readable are {known})")


def _sources(members: list[zipfile.ZipInfo]) -> list[_Found]:
    """Everything that may be a source: folders of file geodatabases, and each other file with its siblings."""
    folders: dict[str, list[zipfile.ZipInfo]] = {}
    files = []
    for member in members:
        parent = PurePosixPath(member.filename).parent
        if parent.suffix.lower() == FOLDER:
            folders.setdefault(str(parent), []).append(member)
        else:
            files.append(member)
    found = [_Found(path, tuple(inside)) for path, inside in folders.items()]
    return found + [_with_siblings(member, files) for member in files]


def _with_siblings(source: zipfile.ZipInfo, files: list[zipfile.ZipInfo]) -> _Found:
    """A file and its siblings, which get its spelling: GDAL looks for `a.dbf` beside `a.shp`, not for `A.dbf`."""
    path = PurePosixPath(source.filename)
    wanted = SIBLINGS.get(path.suffix.lower(), frozenset())
    family = [source]
    for other in files if wanted else ():
        theirs = PurePosixPath(other.filename)
        same = theirs.parent == path.parent and theirs.stem.lower() == path.stem.lower()
        if same and theirs.suffix.lower() in wanted:
            family.append(_named(other, str(path.with_suffix(theirs.suffix))))
    return _Found(source.filename, tuple(family))


def _named(member: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    """The member as it will be called where it is unpacked; the archive still knows it by its original name."""
    renamed = copy(member)
    renamed.filename = name
    return renamed


def _only(request: Request, found: list[_Found]) -> _Found:
    if len(found) == 1:
        return found[0]
    wanted = "doc" if request.file.suffix.lower() == ".kmz" else request.plan.mapping.sublayer
    named = [s for s in found if PurePosixPath(s.path).stem == wanted]
    if len(named) == 1:
        return named[0]
    names = [s.path for s in found]
    raise SourceMismatch(
        f"The archive {request.name} contains {', '.join(names[:_LISTED])}; the mapping must name one as sublayer "
        "(the file name without its extension).",
        members=names,
    )


def _extract(request: Request, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one member, counting the bytes that really come out: the archive's own figures may lie."""
    path = target / member.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, path.open("xb") as out:
        while block := packed.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise _refusal(request, f"unpacks to more than the {request.plan.limits.unpacked} bytes allowed")
            out.write(block)
    return left
