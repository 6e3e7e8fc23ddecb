"""The application: the one place where all rooms meet."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from geoservice.alerts.desk import AlertDesk
from geoservice.alerts.drafts import DraftDesk
from geoservice.api.bulletin import Bulletin
from geoservice.api.job_events import Newsroom, Seats
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from geoservice.features.places import Seal
from geoservice.house import House
from geoservice.http import problems
from geoservice.http.assets import Assets
from geoservice.http.parameters import refuse_unknown
from geoservice.http.tile_front import TileFront
from geoservice.http.versions import Versions
from geoservice.jobs.desk import Desk
from geoservice.jobs.uploads import UploadStore
from geoservice.maps.renderer import Renderer
from geoservice.memory import limit_arenas
from geoservice.metrics.measured import Measured, Routed
from geoservice.metrics.meter import PrometheusMeter, Silent
from geoservice.ogc.blocks import BLOCKS
from geoservice.ogc.features import PLAIN_ROUTES
from geoservice.ogc.tile_route import PlainTileRoute
from geoservice.queries.desk import QueryDesk
from geoservice.security.headers import BodyLimit, HeadRequests, SecurityHeaders
from geoservice.security.identity import KeyRing
from geoservice.settings import Settings, load_settings
from geoservice.tiles.cache import TileCache
from layers.catalog import Catalog, read_catalog
from tiles.sets.registry import matrix_sets


def create_app(settings: Settings | None = None, catalog: Catalog | None = None) -> FastAPI:
    """Build the service.

    Args:
        settings: Settings; read from the environment when absent (as worker processes do).
        catalog: Layers; read from the package and the agency's directory when absent.

    Raises:
        ConfigurationError: When the settings or the database credentials are not usable.
        DefinitionError: When a layer file or a tile matrix set is wrong.
    """
    settings = settings or load_settings()
    house = _house(settings, catalog or read_catalog(settings.layers_dir))
    app = FastAPI(
        title="geoservice",
        version=version("geoservice"),
        summary="Open geospatial information service and map portal",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(refuse_unknown)],
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.state.house = house
    app.state.blocks = BLOCKS
    for block in BLOCKS:
        app.include_router(block.router)
    # In front of all others: most requests are for tiles and for features.
    app.router.routes[:0] = [PlainTileRoute(), *PLAIN_ROUTES]
    app.state.assets = Assets(Path(str(resources.files("web"))) / "static")
    app.mount("/static", app.state.assets, name="static")
    problems.install(app)
    if settings.metrics_token is not None:
        app.add_middleware(Routed)
    app.add_middleware(BodyLimit, maximum=settings.max_body_bytes)
    app.add_middleware(HeadRequests)
    app.add_middleware(Versions, blocks=app.state.blocks)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(TileFront, house=house)
    if settings.metrics_token is not None:
        app.add_middleware(Measured, meter=house.meter, pools=house.pools.use)
    return app


def operation_id(route: APIRoute) -> str:
    """Name of an operation for clients that are made from the OpenAPI document, such as `features_items`."""
    return re.sub(r"\W", "_", f"{route.tags[0]}_{route.name}")


def _house(settings: Settings, catalog: Catalog) -> House:
    database, uploads = Database.from_settings(settings), UploadStore(settings)
    pools, writer = Pools(database), Writer(database)
    desk = Desk(settings, writer, catalog, uploads)
    newsroom = Newsroom(desk, Seats(settings.event_streams_max, settings.event_streams_each))
    renderer = Renderer(settings.map_renderers, settings.map_timeout)
    grids = matrix_sets(settings.gauss_krueger_sets, settings.tile_matrix_sets)
    meter = Silent() if settings.metrics_token is None else PrometheusMeter()
    edits = EditDesk(settings, writer, catalog)
    alerts = AlertDesk(settings, writer, edits, catalog)
    return House(
        settings=settings,
        catalog=catalog,
        pools=pools,
        writer=writer,
        keys=KeyRing(pools),
        desk=desk,
        uploads=uploads,
        edits=edits,
        alerts=alerts,
        drafts=DraftDesk(settings, writer, alerts),
        newsroom=newsroom,
        bulletin=Bulletin(pools),
        renderer=renderer,
        tiles=TileCache.of(settings, pools, meter),
        queries=QueryDesk.of(settings),
        seal=Seal(database.secret("page tokens")),
        grids=grids,
        meter=meter,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    house: House = app.state.house
    limit_arenas()
    async with house.pools:
        await house.settle()
        placing = house.placements.keep(house.catalog, lambda: house.reading)
        watching = [asyncio.create_task(house.tiles.keep()), asyncio.create_task(placing)]
        yield
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        house.tiles.close()
        house.easels.close()
        await house.networks.close()
        await house.exposure.close()
        await house.placements.close()
        await house.newsroom.close()
        await house.bulletin.close()
        await house.pulse.close()
        await house.renderer.close()
        house.edits.close()
        house.writer.close()
