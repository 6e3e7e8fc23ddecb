"""Pages as PDF files. Imported in the confined press alone: the libraries behind it take a second to load."""

from __future__ import annotations

from typing import Any

import pydyf
import weasyprint
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

_ATTACHED = "report.json"


def pdf_of(page: str, mark: str, room: int, title: str) -> bytes:
    """A page as PDF, with an attachment of white space where the seal goes.

    Args:
        page: The page; it may name no file and no address but `data:`.
        mark: Name of the entry of the attachment by which it is found again.
        room: Bytes of the attachment.
        title: Title of the document.
    """
    document = _laid_out(page, title)

    def attach(_: Any, pdf: pydyf.PDF) -> None:
        # Bytes as they are: the seal is written over them without any further change of the file.
        extra = {"Type": "/EmbeddedFile", "Subtype": "/application#2fjson", mark: room}
        stream = pydyf.Stream([b" " * room], extra, compress=False)
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


def plain_pdf(page: str, title: str) -> bytes:
    """A page as PDF.

    Args:
        page: The page; it may name no file and no address but `data:`.
        title: Title of the document.
    """
    made: bytes = _laid_out(page, title).write_pdf()
    return made


def _laid_out(page: str, title: str) -> Any:
    # Made here, as it asks the environment for proxies, which importing does not.
    fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
    document = weasyprint.HTML(string=page, url_fetcher=fetcher).render(font_config=FontConfiguration())
    document.metadata.title = title
    return document
