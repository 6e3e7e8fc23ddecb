"""A printed map as a page that becomes a PDF file: the picture of the map under words and lines that stay sharp."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from web.documents import environment
from web.maps import LANGUAGE_TAGS
from web.sheet.layout import Layout
from web.sheet.marks import Mark
from web.sheet.view import SheetView


def sheet_page(view: SheetView, place: Layout, marks: Sequence[Mark], image: bytes, media: str = "image/png") -> str:
    """The page.

    Args:
        view: What the map says.
        place: What stands where.
        marks: What `compose` made of the two.
        image: The map.
        media: Media type of the image.
    """
    shown = {
        "view": view,
        "place": place,
        "tag": LANGUAGE_TAGS[view.languages[0]],
        "marks": [(type(one).__name__, one) for one in marks],
        "image": f"data:{media};base64,{base64.b64encode(image).decode('ascii')}",
        "number": lambda value: f"{value:.3f}",
    }
    return environment().get_template("sheet.html").render(shown)
