"""In which order features matter, so that a tile that would be too large leaves out those that matter least."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import sqlalchemy as sa

from layers.model import VectorLayer


def by_importance(layer: VectorLayer, rows: sa.FromClause, known: Container[str]) -> list[sa.ColumnElement[Any]]:
    """What rows are ordered by, the most important first.

    First comes what the layer file declares (`tiles: importance`); then the zoom from which the style shows a feature,
    the rank of its label, its size, and for equals its number: the order is the same for the same rows.

    Args:
        layer: The layer.
        rows: Columns `fid`, `geom` (untyped) and attributes.
        known: Names of the attributes that the rows have and the reader may see.
    """
    found = [*_declared(layer, rows), *_by_style(layer, rows, known)]
    size = {"line": sa.func.ST_Length, "polygon": sa.func.ST_Area, "any": sa.func.ST_Area}.get(layer.geometry)
    if size is not None:
        found.append(size(rows.c.geom).desc().nulls_last())
    return [*found, rows.c.fid]


def importance_in_words(layer: VectorLayer, known: Container[str]) -> list[str]:
    """The same order for people, the first criterion first."""
    found, wanted = [], layer.tiles.importance
    if wanted is not None:
        found.append(f"{wanted.by}: {', '.join(wanted.order) if wanted.order else f'{wanted.first} first'}")
    appear, label = layer.style.appear, layer.style.label
    if appear is not None and appear.by in known:
        found.append(f"{appear.by}: as the style shows it from low zooms on")
    if label is not None and label.rank is not None and label.rank in known:
        found.append(f"{label.rank}: low first")
    size = {"line": "length", "polygon": "area", "any": "area"}.get(layer.geometry)
    return [*found, *([f"{size}: large first"] if size else []), "feature number: low first"]


def _declared(layer: VectorLayer, rows: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    wanted = layer.tiles.importance
    if wanted is None:
        return []
    column = rows.c[wanted.by]
    if wanted.order:
        places = {value: place for place, value in enumerate(wanted.order)}
        return [sa.case(places, value=sa.cast(column, sa.Text()), else_=len(places))]
    return [(column.desc() if wanted.first == "high" else column.asc()).nulls_last()]


def _by_style(layer: VectorLayer, rows: sa.FromClause, known: Container[str]) -> list[sa.ColumnElement[Any]]:
    appear, label = layer.style.appear, layer.style.label
    found: list[sa.ColumnElement[Any]] = []
    if appear is not None and appear.by in known:
        value = sa.cast(rows.c[appear.by], sa.Text())
        found.append(sa.case(dict(appear.zooms), value=value, else_=appear.default))
    if label is not None and label.rank is not None and label.rank in known:
        found.append(rows.c[label.rank].asc().nulls_last())
    return found
