"""The process `export`: a whole collection as one file."""

from __future__ import annotations

from geoservice.exports.run import RESULT, run
from geoservice.exports.wish import ExportInputs
from geoservice.formats.known import EXPORT_FORMATS
from geoservice.processes.model import Process
from layers.model import Text

EXPORT = "export"
PROCESS = Process(
    EXPORT,
    Text(zh="导出", en="Export"),
    Text(
        zh="把一个图层的全部或部分要素写成一个文件。",
        en="Writes the features of a collection, or those in a box, an interval or the past, into one file.",
    ),
    ExportInputs,
    run,
    {RESULT: {"oneOf": [{"type": "string", "contentMediaType": one.media} for one in EXPORT_FORMATS.values()]}},
    immediate=False,
)
