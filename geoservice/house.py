"""What a running service holds together: settings, catalogue, connections. Made once by `create_app`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import asyncpg
from fastapi import Depends, Request

from geoservice.alerts.desk import AlertDesk
from geoservice.alerts.drafts import DraftDesk
from geoservice.api.bulletin import Bulletin
from geoservice.api.job_events import Newsroom
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from geoservice.features.places import Seal
from geoservice.features.state import LayerState, read_states
from geoservice.impact.keeper import AtomKeeper
from geoservice.impact.raster_keeper import RasterKeeper
from geoservice.jobs.desk import Desk
from geoservice.jobs.uploads import UploadStore
from geoservice.maps.renderer import Renderer
from geoservice.metrics.meter import Meter, Silent
from geoservice.queries.desk import QueryDesk
from geoservice.queries.sources import Sources, open_layer
from geoservice.reports.desk import ReportDesk
from geoservice.reports.packing import Packing
from geoservice.reports.press import Press
from geoservice.routing.keeper import Networks
from geoservice.security.identity import KeyRing, identify
from geoservice.settings import Settings
from geoservice.situation.board import Board
from geoservice.situation.pulse import Pulse
from geoservice.statistics.keeper import PlacementKeeper
from geoservice.statistics.shelf import FigureShelf
from geoservice.tiles.cache import TileCache
from geoservice.tiles.easels import Easels
from layers.access import Clearance, Decision, Principal, decide, is_editable, visible
from layers.catalog import Catalog
from layers.errors import (
    DatabaseUnavailable,
    MethodNotAllowed,
    NotAllowed,
    NotAuthenticated,
    QueryTimeout,
)
from layers.model import Layer, RasterLayer, RowLayer
from tiles.sets.registry import MatrixSets

_log = logging.getLogger(__name__)
LADDER_SECONDS = 0.5
"""How long it may take until a process notices a new ladder; the tables of a former one are replaced in place."""


@dataclass
class House:
    """The parts of a running service."""

    settings: Settings
    catalog: Catalog
    pools: Pools
    writer: Writer
    keys: KeyRing
    desk: Desk
    uploads: UploadStore
    edits: EditDesk
    alerts: AlertDesk
    drafts: DraftDesk
    newsroom: Newsroom
    bulletin: Bulletin
    renderer: Renderer
    tiles: TileCache
    queries: QueryDesk
    seal: Seal
    grids: MatrixSets = field(default_factory=MatrixSets)
    meter: Meter = field(default_factory=Silent)
    reading: Reading = field(default_factory=lambda: Reading("policies"))
    board: Board = field(default_factory=Board)
    figures: FigureShelf = field(default_factory=FigureShelf)
    settled: bool = False
    """Whether the server was asked how rows are read there."""
    networks: Networks = field(init=False)
    exposure: AtomKeeper = field(init=False)
    placements: PlacementKeeper = field(init=False)
    zone_turns: asyncio.Semaphore = field(init=False)
    press: Press = field(init=False)
    packing: Packing = field(init=False)
    reports: ReportDesk = field(init=False)
    easels: Easels = field(init=False)
    pulse: Pulse = field(init=False)
    _ladders: dict[Clearance, tuple[float, frozenset[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare what follows from the other parts."""
        settings = self.settings
        most, patience = settings.network_max_features, settings.network_patience
        self.zone_turns = asyncio.Semaphore(settings.zone_threads)
        self.reports = ReportDesk(settings, self.writer)
        self.press = Press(settings.report_timeout, settings.report_presses)
        self.packing = Packing(settings.report_timeout, settings.report_presses)
        self.easels = Easels(settings.raster_threads, settings.tile_timeout)
        self.networks = Networks(settings.home / "networks", self.pools, most=most, patience=patience)
        sums = RasterKeeper(settings.home / "raster-sums", self.pools, settings.raster_sums_mb << 20)
        self.exposure = AtomKeeper(settings.home / "exposure", self.pools, sums)
        self.placements = PlacementKeeper(settings.home / "placements", self.pools)
        self.pulse = Pulse(self.pools)

    async def settle(self) -> None:
        """Ask the server once how rows are read there; while it is away, ask again with the next request."""
        if self.settled:
            return
        try:
            reading = await read_mode(self.pools)
        except (DatabaseUnavailable, QueryTimeout, asyncpg.PostgresError) as error:
            _log.warning("the database is not ready: %s", error)
            return
        # Statements compiled in the meantime were made for the wrong place; they go with the old value.
        self.reading, self.settled = reading, True

    @property
    def rasters(self) -> Path:
        """Folder of the raster files."""
        return self.settings.home / "rasters"

    def open_layer(self, principal: Principal, name: str) -> tuple[Layer, Decision]:
        """The layer of a collection id and what the principal may see of it.

        Raises:
            UnknownLayer: When there is none or the principal may not see it; the two look the same.
        """
        return open_layer(self.catalog, principal, name)

    def sources(self, principal: Principal) -> Sources:
        """What a principal's questions about places are answered from."""
        lend = partial(self.pools.raw, principal.clearance)
        return Sources(principal, self.catalog, lend, self.reading, self.queries.polygons, self.rasters)

    def open_editable(self, principal: Principal, name: str) -> tuple[RowLayer, Decision]:
        """The layer of a collection id whose features the principal may edit, and what they may see of it.

        Raises:
            UnknownLayer: When there is none or the principal may not see it.
            MethodNotAllowed: When it has no features that anybody could edit.
            NotAuthenticated, NotAllowed: When this principal may not edit them.
        """
        layer, _ = self.open_layer(principal, name)
        if isinstance(layer, RasterLayer) or not is_editable(layer):
            raise MethodNotAllowed(f"Collection {layer.name} takes no edits: rasters and series are loaded as sources.")
        decision = decide(principal, "edit", layer)
        if principal.anonymous:
            raise NotAuthenticated("Editing takes an API key that may edit; send it as X-API-Key or bearer token.")
        if not decision.allowed:
            raise NotAllowed(f"This API key may not edit collection {layer.name}; `geoservice key create --may-edit`.")
        return layer, decision

    def visible(self, principal: Principal) -> tuple[Layer, ...]:
        """The layers a principal may see, in catalogue order."""
        return visible(principal, self.catalog)

    async def states(self, principal: Principal, layers: Iterable[Layer]) -> dict[str, LayerState]:
        """States of layers as this principal may know them."""
        async with self.pools.raw(principal.clearance) as connection:
            return await read_states(connection, principal.clearance, [layer.name for layer in layers])

    async def ladders(self, principal: Principal) -> frozenset[str]:
        """Names of the layers whose ladder stands, as they were known at most a moment ago."""
        known = self._ladders.get(principal.clearance)
        now = time.monotonic()
        if known is None or now - known[0] > LADDER_SECONDS:
            async with self.pools.raw(principal.clearance) as connection:
                rows = await connection.fetch("SELECT layer FROM meta.layer_state WHERE ladder IS NOT NULL")
            known = self._ladders[principal.clearance] = (now, frozenset(row["layer"] for row in rows))
        return known[1]


async def read_mode(pools: Pools) -> Reading:
    """How rows are read on this server: from the tables behind policies, or from the views of a clearance.

    Raises:
        DatabaseUnavailable: When the server does not answer.
    """
    async with pools.raw(Clearance.PUBLIC) as connection:
        views = await connection.fetchval("SELECT to_regnamespace('read_public') IS NOT NULL")
    return Reading("views" if views else "policies")


async def house_of(request: Request) -> House:
    """The house of the application that serves a request."""
    found: House = request.app.state.house
    await found.settle()
    return found


Inside: TypeAlias = Annotated[House, Depends(house_of)]
Asker: TypeAlias = Annotated[Principal, Depends(identify)]
