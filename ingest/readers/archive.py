"""ZIP and KMZ archives: everything is checked before anything is unpacked, and only into the private directory."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ingest.readers.sniff import EXPECTED
from ingest.readers.source import Request
from layers.errors import SourceMismatch, SourceUnreadable

_BLOCK = 1 << 20
_ENCRYPTED = 0x1
_BOMB_RATIO = 200
_BOMB_FLOOR = 64 << 20
_NESTED = frozenset({".zip", ".kmz", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst"})
_RUBBISH = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_RANKS = (
    frozenset({".gpkg", ".shp", ".geojson", ".geojsonl", ".geojsons", ".topojson", ".kml", ".gml", ".pbf"}),
    frozenset({".json", ".csv", ".tsv", ".cap", ".edxlde", ".atom"}),
    frozenset({".txt", ".dat", ".xml", ".osm"}),
)


def unpack(request: Request) -> Path:
    """Unpack an archive and tell which member is the source.

    Returns:
        The member, inside the request's scratch directory.

    Raises:
        SourceUnreadable: When the archive is damaged, encrypted, nested, too big, has too many entries, or has an
            entry that would land elsewhere; or when nothing in it is readable.
        SourceMismatch: When it has several sources and the mapping names none of them.
    """
    chosen: list[zipfile.ZipInfo] = []

    def pick(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
        chosen.append(_choose(request, members))
        return _needed(chosen[0], members)

    return unpack_all(request, pick) / chosen[0].filename


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
            wanted = pick(_checked(request, archive))
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


def _checked(request: Request, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
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
        return "is encrypted"
    return "is an archive itself" if path.suffix.lower() in _NESTED else None


def _refusal(request: Request, what: str) -> SourceUnreadable:
    return SourceUnreadable(f"The archive {request.name} {what}.", source=request.name)


def _choose(request: Request, members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    for rank in _RANKS:
        found = [m for m in members if PurePosixPath(m.filename).suffix.lower() in rank]
        if found:
            return _only(request, found)
    known = ", ".join(s for s in sorted(EXPECTED) if s not in _NESTED)
    raise _refusal(request, f"contains no file that can be read (readable are {known})")


def _only(request: Request, found: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    if len(found) == 1:
        return found[0]
    wanted = "doc" if request.file.suffix.lower() == ".kmz" else request.plan.mapping.sublayer
    named = [m for m in found if PurePosixPath(m.filename).stem == wanted]
    if len(named) == 1:
        return named[0]
    names = [m.filename for m in found]
    raise SourceMismatch(
        f"The archive {request.name} contains {', '.join(names[:10])}; the mapping must name one as sublayer "
        "(the file name without its extension).",
        members=names,
    )


def _needed(chosen: zipfile.ZipInfo, members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The chosen member and, for a Shapefile, its companions."""
    path = PurePosixPath(chosen.filename)
    if path.suffix.lower() != ".shp":
        return [chosen]
    return [m for m in members if PurePosixPath(m.filename).with_suffix("") == path.with_suffix("")]


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
