"""A table too large to wait for, as a process: it is answered in parts, which a job that was killed finds again.

The answer of each block of rows is kept as a file of its own, on disk before it counts. When all are there, the table
is read once more and written with them. An edition of the collection that comes meanwhile changes nothing: the job goes
on with the instant of the one that it began with.
"""

from __future__ import annotations

import asyncio
from typing import Any

from geoservice.processes.model import Execution, Process
from geoservice.queries.table_inputs import PROCESS_ID, TABLE, TableInputs
from geoservice.queries.table_parts import answer_in_parts
from geoservice.queries.tables.forms import MEDIA_TYPES
from layers.errors import BadBody
from layers.model import Text


def run(execution: Execution, inputs: TableInputs) -> None:
    """Answer the table that came with the request.

    Raises:
        BadBody: When none came, or its media type is none of those of batches.
        GeoError: What the question or the table is refused for.
    """
    folder = execution.inputs_folder
    if folder is None or not (folder / TABLE).is_file():
        raise BadBody("A table comes as the body of a batch query with Prefer: respond-async, or as an upload.")
    if inputs.media not in MEDIA_TYPES:
        raise BadBody(f"media is one of {', '.join(MEDIA_TYPES)}; {inputs.media[:60]!r} is none.")
    result = asyncio.run(answer_in_parts(execution, inputs, folder / TABLE))
    facts = {"rows": result.rows, "errors": result.errors}
    execution.publish(TABLE, result.path, inputs.media, layers=result.layers, **facts)


_OUTPUTS: dict[str, dict[str, Any]] = {
    TABLE: {"type": "string", "format": "binary", "description": "The table with added columns."}
}
PROCESS = Process(
    PROCESS_ID,
    Text(zh="表格批量空间查询", en="Spatial query for a table"),
    Text(
        zh="为表格的每一行求所在面、最近要素、栅格值、与要素共有的面积或长度，或该点的所有要素。",
        en="For each row of a table the polygon that holds it, the nearest feature, the values of a raster, what it "
        "shares with features, or all features at its point.",
    ),
    TableInputs,
    run,
    _OUTPUTS,
    immediate=False,
)
