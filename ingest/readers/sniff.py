"""What a file is, by its first bytes. Extensions are claims; bytes decide, and a false claim is refused."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from ingest.readers.exchange import looks_like_boundary, looks_like_vct
from layers.errors import SourceUnreadable

_HEAD = 1 << 16
_BLOCK = 1 << 20
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')
_DECLARED = re.compile(rb"""^<\?xml[^>]{1,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DOUBLE_BYTE = {"gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5"}
"""Encodings of Chinese XML that expat cannot decode by itself; GB 18030 contains GBK, and GBK contains GB 2312."""
_PBF = re.compile(rb"^\x00\x00[\x00-\xff]{2}\x0a\x09OSMHeader", re.DOTALL)

EXPECTED = {
    ".gpkg": ("gpkg",),
    ".shp": ("shp",),
    ".zip": ("zip",),
    ".kmz": ("zip",),
    ".geojson": ("geojson",),
    ".geojsonl": ("geojson",),
    ".geojsons": ("geojson",),
    ".topojson": ("topojson",),
    ".json": ("geojson", "topojson"),
    ".kml": ("kml",),
    ".gml": ("gml",),
    ".cap": ("cap",),
    ".edxlde": ("cap",),
    ".atom": ("cap",),
    ".xml": ("cap", "gml", "kml"),
    ".pbf": ("pbf",),
    ".osm": ("osm",),
    ".csv": ("text",),
    ".tsv": ("text",),
    ".txt": ("text", "boundary"),
    ".vct": ("vct",),
    ".dat": ("text",),
}
NAMES = {
    "gpkg": "a GeoPackage",
    "sqlite": "an SQLite database, but not a GeoPackage",
    "shp": "a Shapefile",
    "zip": "a ZIP archive",
    "geojson": "GeoJSON",
    "topojson": "TopoJSON",
    "kml": "KML",
    "gml": "GML",
    "cap": "a CAP alert",
    "xml": "XML of an unknown kind",
    "pbf": "OpenStreetMap PBF",
    "osm": "OpenStreetMap XML",
    "tiff": "a TIFF image",
    "text": "a text table",
    "boundary": "boundary points",
    "vct": "VCT",
    "binary": "binary data of an unknown kind",
}
_CAP_ROOTS = frozenset({"alert", "feed", "EDXLDistribution"})


def kind_of(file: Path, name: str) -> str:
    """Kind of a file by content, checked against what its extension claims.

    Args:
        file: The file to look at.
        name: Name that the user knows, whose extension counts.

    Returns:
        One of the keys of `NAMES` that a reader exists for.

    Raises:
        SourceUnreadable: When the extension is unknown, or claims another kind than the content is; also for
            XML with a document type declaration, which no format we read needs.
    """
    suffix = Path(name).suffix.lower()
    expected = EXPECTED.get(suffix)
    if expected is None:
        known = ", ".join(sorted(EXPECTED))
        raise SourceUnreadable(f"{name} has an unknown extension; readable are {known}.", source=name)
    kind = _by_bytes(file, name)
    if kind not in expected:
        wanted = " or ".join(NAMES[k] for k in expected)
        raise SourceUnreadable(f"{name} should be {wanted} by its extension, but it is {NAMES[kind]}.", source=name)
    return kind


def _by_bytes(file: Path, name: str) -> str:
    with file.open("rb") as handle:
        head = handle.read(_HEAD)
    if not head:
        raise SourceUnreadable(f"{name} is empty (0 bytes).", source=name)
    return _binary_kind(head) or _text_kind(file, name, head)


def _binary_kind(head: bytes) -> str | None:
    if head.startswith(b"SQLite format 3\x00"):
        application = head[68:72]
        return "gpkg" if application in (b"GPKG", b"GP10", b"GP11") else "sqlite"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x00\x00\x27\x0a"):
        return "shp"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "tiff"
    return "pbf" if _PBF.match(head) else None


def _text_kind(file: Path, name: str, head: bytes) -> str:
    start = head
    for bom in _BOMS:
        start = start.removeprefix(bom)
    start = start.lstrip()
    # In UTF-16 every other byte of ASCII is zero: look through them.
    bare = start.replace(b"\x00", b"").lstrip() if head.startswith(_BOMS[1:]) else start
    if bare.startswith(b"<"):
        return _xml_kind(file, name)
    if b"\x00" in head and not head.startswith(_BOMS[1:]):
        return "binary"
    if bare.startswith((b"{", b"\x1e{")):
        return "topojson" if _is_topology(file, head) else "geojson"
    if looks_like_vct(head):
        return "vct"
    return "boundary" if looks_like_boundary(head) else "text"


def _is_topology(file: Path, head: bytes) -> bool:
    if _TOPOLOGY.search(head):
        return True
    # The type may also stand at the end of the object.
    with file.open("rb") as handle:
        handle.seek(max(0, file.stat().st_size - _HEAD))
        return _TOPOLOGY.search(handle.read()) is not None


def _xml_kind(file: Path, name: str) -> str:
    """Kind by the root element; walks the whole file so that no declaration hides further down."""
    roots: list[str] = []
    encoding = _double_byte(file)
    parser = expat.ParserCreate("utf-8" if encoding else None, namespace_separator=" ")

    def doctype(*_: object) -> None:
        raise SourceUnreadable(f"{name} declares a document type (DTD or entities); such XML is not read.", source=name)

    def start(tag: str, _: dict[str, str]) -> None:
        if not roots:
            roots.append(tag)

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    try:
        for block in _blocks(file, encoding):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except (LookupError, ValueError) as error:
        raise SourceUnreadable(
            f"{name} is XML in an encoding that is not read, or not in the one it declares; UTF-8, UTF-16 and "
            f"{', '.join(_DOUBLE_BYTE)} are.",
            source=name,
        ) from error
    except expat.ExpatError as error:
        raise SourceUnreadable(
            f"{name} is not well-formed XML: {expat.ErrorString(error.code)} in line {error.lineno}.", source=name
        ) from error
    return _root_kind(roots[0])


def _double_byte(file: Path) -> str | None:
    """Codec of a file that declares one of the double-byte encodings of Chinese."""
    with file.open("rb") as handle:
        declared = _DECLARED.match(handle.read(_HEAD))
    return _DOUBLE_BYTE.get(declared.group(1).decode("ascii").lower()) if declared else None


def _blocks(file: Path, encoding: str | None) -> Iterator[bytes]:
    """The bytes of a file, in UTF-8 when an encoding is given."""
    decoder = codecs.getincrementaldecoder(encoding)() if encoding else None
    with file.open("rb") as handle:
        while block := handle.read(_BLOCK):
            yield block if decoder is None else decoder.decode(block).encode()


def _root_kind(root: str) -> str:
    namespace, _, local = root.rpartition(" ")
    if local in _CAP_ROOTS:
        return "cap"
    if root == "osm":
        return "osm"
    if local == "kml" or "kml" in namespace:
        return "kml"
    gml_like = ("gml", "ogr.maptools.org", "wfs")
    return "gml" if local == "FeatureCollection" or any(word in namespace for word in gml_like) else "xml"
