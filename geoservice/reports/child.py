"""Entry point of the confined press (`python -m geoservice.reports.child`): PDF files, workbook, GeoPackage.

One order comes in by standard input, the files go out by standard output (`geoservice.confined.frames`). The child has
no network, no database and no view of files but fonts; its memory and time are limited, so that no report can hold up
the service or fill the machine. It loads the libraries of the files that are wanted and no others: loading them takes
longer than making the files.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from geoservice.confined.frames import received
from geoservice.confined.inside import Bench, locked_in

Json = dict[str, Any]
_NEEDED = {
    "pdf": ("geoservice.reports.paper",),
    "sheet": ("geoservice.reports.paper",),
    "xlsx": ("geoservice.reports.workbook", "openpyxl"),
    "gpkg": ("geoservice.reports.rows", "pyogrio"),
}


def main() -> int:
    """Load what is needed, lock in, take the order, make what was ordered."""
    bench = locked_in(_load)
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    bench.answer({"confinement": bench.achieved}, {})
    found = received(bench.jobs)
    if found is None:
        return 0
    order, files = found
    bench.answer({}, {name: _MAKERS[name](order, files, bench) for name in bench.orders["wanted"]})
    return 0


def _load(orders: Json) -> None:
    # Libraries that are loaded when they are first used would be out of reach afterwards.
    for name in orders["wanted"]:
        for library in _NEEDED[name]:
            importlib.import_module(library)


def _pdf(order: Json, files: Mapping[str, bytes], _: Bench) -> bytes:
    from geoservice.reports.paper import pdf_of  # noqa: PLC0415 (loaded before, where it is wanted)

    return pdf_of(files["page"].decode(), order["mark"], order["room"], order["manifest"]["title"])


def _sheet(order: Json, files: Mapping[str, bytes], _: Bench) -> bytes:
    from geoservice.reports.paper import plain_pdf  # noqa: PLC0415 (loaded before, where it is wanted)

    return plain_pdf(files["page"].decode(), order["title"])


def _xlsx(order: Json, _files: Mapping[str, bytes], _: Bench) -> bytes:
    from geoservice.reports.manifest import Manifest  # noqa: PLC0415
    from geoservice.reports.workbook import write_workbook  # noqa: PLC0415

    return write_workbook(Manifest.model_validate(order["manifest"]), order["answer"])


def _gpkg(order: Json, _: Mapping[str, bytes], bench: Bench) -> bytes:
    from geoservice.reports.manifest import Manifest  # noqa: PLC0415
    from geoservice.reports.rows import write_rows  # noqa: PLC0415

    target = Path(bench.orders["confinement"]["writable"]) / "report.gpkg"
    zone = [{**one, "wkb": bytes.fromhex(one["wkb"])} for one in order["zone"]]
    write_rows(Manifest.model_validate(order["manifest"]), order["answer"], zone, target)
    return target.read_bytes()


_MAKERS: dict[str, Callable[[Json, Mapping[str, bytes], Bench], bytes]] = {
    "pdf": _pdf,
    "sheet": _sheet,
    "xlsx": _xlsx,
    "gpkg": _gpkg,
}


if __name__ == "__main__":
    sys.exit(main())
