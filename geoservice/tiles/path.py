"""The paths of tiles of a collection."""

from __future__ import annotations

import re

TILE_PATH = "/collections/{collection_id}/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"
IMAGE_PATH = "/collections/{collection_id}/map/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"
COLLECTION = "collection_id"
_PATTERNS = {path: re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)) for path in (TILE_PATH, IMAGE_PATH)}


def parts_of(path: str, template: str = TILE_PATH) -> dict[str, str] | None:
    """What is written in a path for each name of its template; None for a path of another kind."""
    found = _PATTERNS[template].fullmatch(path)
    return None if found is None else found.groupdict()
