"""Entry point of the confined press (`python -m geoservice.reports.child`): PDF, workbook and GeoPackage are made here.

One order comes in by standard input, the files go out by standard output (`geoservice.maps.frames`). The child has no
network, no database and no view of files but fonts; its memory and time are limited, so that no report can hold up the
service or fill the machine.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from pathlib import Path
from typing import IO, Any

import pydyf
import weasyprint
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

from geoservice.maps.frames import LENGTH, head_of, packed
from geoservice.reports.carrier import PDF_MARK
from geoservice.reports.manifest import Json, Manifest
from geoservice.reports.rows import write_rows
from geoservice.reports.workbook import write_workbook
from ingest.confine import Confinement, cut_network, lock_in

_ATTACHED = "report.json"


def main() -> int:
    """Take an order, lock in, make what was ordered."""
    orders, made = sys.stdin.buffer, _own_output()
    order, sizes = head_of(orders.read(LENGTH.unpack(orders.read(LENGTH.size))[0]))
    files = {name: orders.read(size) for name, size in sizes.items()}
    cut_network()
    # Libraries that are loaded when they are first used would be out of reach afterwards.
    for library in ("pyogrio", "openpyxl"):
        importlib.import_module(library)
    lock_in(Confinement(**order["confinement"]))
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    made.write(packed({}, _made(order, files, Path(order["confinement"]["writable"]))))
    return 0


def _made(order: Json, files: dict[str, bytes], folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if "pdf" in order["wanted"]:
        found["pdf"] = pdf_of(files["page"].decode(), order["gap"], order["wanted"]["pdf"])
    if "xlsx" in order["wanted"]:
        found["xlsx"] = write_workbook(Manifest.model_validate(order["manifest"]), order["answer"])
    if "gpkg" in order["wanted"]:
        target = folder / "report.gpkg"
        zone = [{**one, "wkb": bytes.fromhex(one["wkb"])} for one in order["zone"]]
        write_rows(Manifest.model_validate(order["manifest"]), order["answer"], zone, target)
        found["gpkg"] = target.read_bytes()
    return found


def pdf_of(page: str, gap: int, about: Json) -> bytes:
    """A page as PDF, with an attachment of white space where the seal goes.

    Args:
        page: The page; it may name no file and no address but `data:`.
        gap: Bytes of the attachment.
        about: `title`, `language`.
    """
    # Made here, as it asks the environment for proxies, which importing does not.
    fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
    document = weasyprint.HTML(string=page, url_fetcher=fetcher).render(font_config=FontConfiguration())
    document.metadata.title = about["title"]

    def attach(_: Any, pdf: pydyf.PDF) -> None:
        # Bytes as they are: the seal is written over them without any further change of the file.
        mark = PDF_MARK.decode().removeprefix("/")
        extra = {"Type": "/EmbeddedFile", "Subtype": "/application#2fjson", mark: gap}
        stream = pydyf.Stream([b" " * gap], extra, compress=False)
        pdf.add_object(stream)
        name = pydyf.String(_ATTACHED)
        described = {"Type": "/Filespec", "F": name, "UF": name, "AFRelationship": "/Data"}
        entry = pydyf.Dictionary({**described, "EF": pydyf.Dictionary({"F": stream.reference})})
        pdf.add_object(entry)
        files = pydyf.Dictionary({"Names": pydyf.Array([name, entry.reference])})
        pdf.catalog["Names"] = pydyf.Dictionary({**pdf.catalog.get("Names", {}), "EmbeddedFiles": files})
        pdf.catalog["AF"] = pydyf.Array([entry.reference])

    made: bytes = document.write_pdf(finisher=attach)
    return made


def _own_output() -> IO[bytes]:
    """Keep standard output for files alone: whatever a library prints goes to standard error."""
    found = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return found


if __name__ == "__main__":
    sys.exit(main())
