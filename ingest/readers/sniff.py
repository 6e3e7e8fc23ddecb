"""What a file is, by its first bytes. Extensions are claims; bytes decide, and a false claim is refused."""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from ingest.readers.exchange import looks_like_boundary, looks_like_vct
from ingest.side_files import lone_part
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
    ".gdb": ("gdb",),
    ".tab": ("tab",),
    ".mif": ("mif",),
    ".dxf": ("dxf",),
    ".gpx": ("gpx",),
    ".fgb": ("fgb",),
    ".parquet": ("parquet",),
    ".geoparquet": ("parquet",),
    ".zip": ("zip",),
    ".kmz": ("zip",),
    ".geojson": ("geojson", "ndjson"),
    ".geojsonl": ("ndjson", "geojson"),
    ".geojsons": ("ndjson", "geojson"),
    ".ndjson": ("ndjson", "geojson"),
    ".jsonl": ("ndjson", "geojson"),
    ".topojson": ("topojson",),
    ".json": ("geojson", "topojson", "ndjson"),
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
    ".xlsx": ("xlsx",),
    ".xlsm": ("xlsx",),
}
NAMES = {
    "gpkg": "a GeoPackage",
    "sqlite": "an SQLite database, but not a GeoPackage",
    "shp": "a Shapefile",
    "gdb": "a file geodatabase",
    "tab": "a MapInfo table",
    "mif": "a MapInfo interchange file",
    "dxf": "a DXF drawing",
    "gpx": "GPX",
    "fgb": "FlatGeobuf",
    "parquet": "Parquet",
    "zip": "a ZIP archive",
    "xlsx": "an Excel workbook (XLSX)",
    "geojson": "GeoJSON",
    "ndjson": "GeoJSON",
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
    "folder": "a folder that is no file geodatabase",
    "binary": "binary data of an unknown kind",
    "rar": "a RAR archive; pack it as ZIP",
    "7z": "a 7-Zip archive; pack it as ZIP",
    "gzip": "a gzip archive; pack it as ZIP",
    "ole": "an old or password-protected Office file; save it as XLSX without a password",
    "xlsb": "a binary Excel workbook (XLSB); save it as XLSX",
    "ods": "an OpenDocument file; save it as XLSX or CSV",
    "dwg": "an AutoCAD drawing (DWG); save it as DXF",
    "dxb": "a binary DXF drawing; save it as an ASCII DXF",
    "mdb": "an Access database; export its layers as a file geodatabase or GeoPackage",
}
"""Kind -> what it is called in a sentence, and for kinds that no reader exists for, what to do."""
_STRANGERS = {
    ".xls": "ole",
    ".xlsb": "xlsb",
    ".ods": "ods",
    ".dwg": "dwg",
    ".mdb": "mdb",
    ".rar": "rar",
    ".7z": "7z",
    ".gz": "gzip",
    ".tgz": "gzip",
}
"""Extensions that no reader exists for, but whose senders deserve advice."""
_MAGIC = (
    (b"\x00\x00\x27\x0a", "shp"),
    (b"fgb\x03", "fgb"),
    (b"PAR1", "parquet"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"AutoCAD Binary DXF", "dxb"),
    (b"\x00\x01\x00\x00Standard", "mdb"),
)
_DWG = re.compile(rb"^AC10\d\d\x00")
_TEXTS = (
    (re.compile(rb"^!table\b", re.IGNORECASE), "tab"),
    (re.compile(rb"^version\s+\d{3,4}\s", re.IGNORECASE), "mif"),
    (re.compile(rb"^(999[^\n]*\n[^\n]*\n\s*)*0\s*\r?\n\s*SECTION\b"), "dxf"),
)
_LINES = re.compile(rb"^\s*\{[^\n]*\}\s*\n\s*\{")
_LINE_SUFFIXES = frozenset({".geojsonl", ".geojsons", ".ndjson", ".jsonl"})
_CATALOGUE = "a00000001.gdbtable"
"""The table of tables, which every file geodatabase has."""
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
    if suffix in _STRANGERS:
        raise SourceUnreadable(f"{name} cannot be read: it is {NAMES[_STRANGERS[suffix]]}.", source=name)
    if (part := lone_part(name)) is not None:
        raise SourceUnreadable(part, source=name)
    expected = EXPECTED.get(suffix)
    if expected is None:
        known = ", ".join(sorted(EXPECTED))
        raise SourceUnreadable(f"{name} has an unknown extension; readable are {known}.", source=name)
    kind = _by_bytes(file, name)
    if kind == "geojson" and suffix in _LINE_SUFFIXES:
        kind = "ndjson"
    if kind not in expected:
        wanted = " or ".join(dict.fromkeys(NAMES[k] for k in expected))
        raise SourceUnreadable(f"{name} should be {wanted} by its extension, but it is {NAMES[kind]}.", source=name)
    return kind


def _by_bytes(file: Path, name: str) -> str:
    if file.is_dir():
        return "gdb" if (file / _CATALOGUE).is_file() else "folder"
    with file.open("rb") as handle:
        head = handle.read(_HEAD)
    if not head:
        raise SourceUnreadable(f"{name} is empty (0 bytes).", source=name)
    kind = _binary_kind(head)
    return _zip_kind(file) if kind == "zip" else kind or _text_kind(file, name, head)


def _zip_kind(file: Path) -> str:
    """Office documents are ZIP archives too; what they hold tells them apart."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = frozenset(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        # The reader of archives finds the words for what is wrong with it.
        return "zip"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        return "xlsb"
    return "ods" if {"mimetype", "content.xml"} <= names else "zip"


def _binary_kind(head: bytes) -> str | None:
    if head.startswith(b"SQLite format 3\x00"):
        application = head[68:72]
        return "gpkg" if application in (b"GPKG", b"GP10", b"GP11") else "sqlite"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _DWG.match(head):
        return "dwg"
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
    if bare.startswith(b"\x1e"):
        return "ndjson"
    if bare.startswith(b"{"):
        return _json_kind(file, head, bare)
    if looks_like_vct(head):
        return "vct"
    known = next((kind for pattern, kind in _TEXTS if pattern.match(bare)), "text")
    return "boundary" if known == "text" and looks_like_boundary(head) else known


def _json_kind(file: Path, head: bytes, bare: bytes) -> str:
    if _LINES.match(bare):
        return "ndjson"
    return "topojson" if _is_topology(file, head) else "geojson"


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
    if local == "gpx":
        return "gpx"
    if local == "kml" or "kml" in namespace:
        return "kml"
    gml_like = ("gml", "ogr.maptools.org", "wfs")
    return "gml" if local == "FeatureCollection" or any(word in namespace for word in gml_like) else "xml"
