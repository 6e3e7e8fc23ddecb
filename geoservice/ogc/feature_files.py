"""Pages of features as files: which formats a layer has, and the answer with what the file cannot say of itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.features.query import FeatureQuery
from geoservice.features.rows import chosen_attributes
from geoservice.features.state import LayerState
from geoservice.formats.known import FILE_FORMATS, FileFormat
from geoservice.formats.page import require_geometry, written
from geoservice.formats.subject import Subject, about_layer
from geoservice.formats.target import crs_for, pyproj_of
from geoservice.house import House
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import FEATURES
from layers.access import Decision, Principal
from layers.catalog import Catalog
from layers.crs import CRS84_URI
from layers.model import RowLayer

NATIONAL = "national"
"""The template of boundary-point files."""
_BOUNDARY = "boundary"
_SAFE = " ,.:;/()-_=+"


def formats_of(layer: RowLayer, catalog: Catalog) -> dict[str, str]:
    """Formats of the features of a layer: GeoJSON first, pages for people, then files."""
    return _formats(layer, NATIONAL in catalog.templates)


@lru_cache(maxsize=1024)
def _formats(layer: RowLayer, bounded: bool) -> dict[str, str]:
    # Boundary-point files are written by a template.
    files = {name: one.media for name, one in FILE_FORMATS.items() if one.holds(layer)}
    return {**FEATURES, **{name: media for name, media in files.items() if bounded or name != _BOUNDARY}}


@dataclass(frozen=True)
class Files:
    """Writes features of one layer, as one reader sees it, into a file.

    Attributes:
        layer: The layer.
        decision: What the reader may see.
        chosen: The format.
        state: The layer's state, as the reader may know it.
        query: What was read.
    """

    layer: RowLayer
    decision: Decision
    chosen: FileFormat
    state: LayerState
    query: FeatureQuery

    def subject(self, house: House, edition: int | None) -> Subject:
        """What the file is about.

        Raises:
            NotAcceptable: When the format needs what was left out.
        """
        current = edition == self.state.edition
        facts = {"committed": self.state.committed, "source": self.state.source} if current else {}
        layer = self.layer.crediting(self.state.mappings)
        about = about_layer(layer, self.decision.rule.max_clearance, edition=edition, instant=self.query.as_of, **facts)
        crs = pyproj_of(self.query.look.crs)
        template = house.catalog.templates.get(NATIONAL)
        names = chosen_attributes(self.decision, self.query)
        subject = Subject(layer, names, crs, about, template=template, shapes=self.query.look.geometry)
        require_geometry(subject, self.chosen)
        return subject

    async def answer(
        self, request: Request, house: House, features: str, edition: int | None, headers: dict[str, str]
    ) -> Response:
        """The answer that carries the file; `headers` say what they say of a page."""
        subject = self.subject(house, edition)
        swapped = self.query.look.crs.swapped
        body = await run_in_threadpool(written, features, subject, self.chosen, swapped=swapped)
        name = self.layer.name if edition is None else f"{self.layer.name}-{edition}"
        told = {
            f"Geoservice-{name.title()}": quote(str(value), safe=_SAFE)
            for name, value in subject.about.facts().items()
            if name in ("clearance", "source", "licence", "authority", "attribution")
        }
        disposition = {"Content-Disposition": f'attachment; filename="{name}{self.chosen.suffix}"'}
        return encoded(request, body, self.chosen.media, {**headers, **told, **disposition})


async def files_for(
    house: House, asker: Principal, layer: RowLayer, decision: Decision, chosen: str, query: FeatureQuery
) -> tuple[Files | None, FeatureQuery]:
    """Who writes the file of a format, and the query with the CRS that it wants; None for what is no file.

    Raises:
        BadParameter, NotAcceptable: When the format and the query do not go together.
    """
    if chosen not in FILE_FORMATS:
        return None, query
    state = (await house.states(asker, [layer]))[layer.name]
    found, look = FILE_FORMATS[chosen], query.look
    crs = crs_for(found, None if look.crs.uri == CRS84_URI else look.crs.uri, query.bbox or state.extent)
    query = replace(query, look=replace(look, crs=crs))
    return Files(layer, decision, found, state, query), query
