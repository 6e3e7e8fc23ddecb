"""The path of a vector tile of a collection."""

from __future__ import annotations

import re

TILE_PATH = "/collections/{collection_id}/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"
COLLECTION = "collection_id"
_PATTERN = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", TILE_PATH))


def parts_of(path: str) -> dict[str, str] | None:
    """What is written in a path for each name of `TILE_PATH`; None for a path of another kind."""
    found = _PATTERN.fullmatch(path)
    return None if found is None else found.groupdict()
