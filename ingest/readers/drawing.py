"""DXF drawings: what their header says, and closed lines as areas."""

from __future__ import annotations

import re

from ingest.readers.prepared import Prepared
from ingest.readers.source import Request
from layers.errors import SourceUnreadable
from layers.model import VectorLayer

_HEADER_BYTES = 1 << 20
_TAIL_BYTES = 1024
_END = re.compile(rb"^[ \t]*0[ \t]*\r?\n[ \t]*EOF\s*\Z", re.MULTILINE)
_VARIABLE = re.compile(rb"^\s*9\s*\r?\n\$(INSUNITS|DWGCODEPAGE|ACADVER)\s*\r?\n\s*\d+\s*\r?\n([^\r\n]*)", re.MULTILINE)
_UNITS = {1: "inches", 2: "feet", 4: "millimetres", 5: "centimetres", 6: "metres", 7: "kilometres"}
_UTF8_SINCE = "AC1021"
"""AutoCAD 2007; older drawings are written in the code page that they name."""
_CODE_PAGES = {"ANSI_936": "gb18030", "GB2312": "gb18030", "ANSI_950": "cp950", "BIG5": "cp950", "ANSI_1252": "cp1252"}


def prepare_drawing(request: Request) -> Prepared:
    """Read the header of a DXF file: its unit (`$INSUNITS`), version and code page.

    Raises:
        SourceUnreadable: When the end mark of the drawing is missing.
    """
    with request.file.open("rb") as handle:
        found = dict(_VARIABLE.findall(handle.read(_HEADER_BYTES)))
        handle.seek(max(0, request.file.stat().st_size - _TAIL_BYTES))
        if not _END.search(handle.read()):
            raise SourceUnreadable(f"{request.name} is truncated: a DXF ends with EOF.", source=request.name)
    _note_unit(request, found.get(b"INSUNITS", b"0"))
    version = found.get(b"ACADVER", b"").decode("ascii", "replace").strip()
    page = found.get(b"DWGCODEPAGE", b"").decode("ascii", "replace").strip().upper()
    encoding = "utf-8" if version >= _UTF8_SINCE else _CODE_PAGES.get(page)
    layer = request.plan.layer
    polygons = isinstance(layer, VectorLayer) and layer.geometry == "polygon"
    return Prepared(
        request.file,
        found_encoding=encoding,
        strict=True,
        close_lines=polygons,
        config={} if encoding is None else {"DXF_ENCODING": _iconv_name(encoding)},
    )


def _iconv_name(encoding: str) -> str:
    return {"gb18030": "GB18030", "cp950": "CP950", "cp1252": "CP1252"}.get(encoding, "UTF-8")


def _note_unit(request: Request, text: bytes) -> None:
    try:
        unit = _UNITS.get(int(text))
    except ValueError:
        unit = None
    if unit is None:
        message = "The drawing states no unit; its coordinates are taken in the unit of the mapping's CRS."
        request.notes.add("drawing-unit", "info", message, count=1)
        return
    severity = "info" if unit == "metres" else "warning"
    message = f"The drawing states its unit as {unit}; its coordinates are taken in the unit of the mapping's CRS."
    request.notes.add("drawing-unit", severity, message, count=1)
