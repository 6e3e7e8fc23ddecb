"""What the portal is shown in these tests: every layer of the product, some of them loaded."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from layers.access import ANONYMOUS, Clearance, Principal, decide, visible
from layers.catalog import read_catalog
from layers.model import TableLayer
from web.view import EditionInfo, PortalView, VisibleLayer

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
CATALOG = read_catalog()
EDITION = EditionInfo(
    7,
    dt.datetime(2026, 5, 1, tzinfo=dt.UTC),
    "sample",
    features=12,
    bbox=(110.0, 30.0, 111.0, 31.0),
    interval=(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 4, 1, tzinfo=dt.UTC)),
)


def portal_view(principal: Principal = ANONYMOUS, **changes: Any) -> PortalView:
    """The view of a principal; all layers but tables are loaded."""
    entries = tuple(
        VisibleLayer(
            layer, decide(principal, "read", layer).attributes, None if isinstance(layer, TableLayer) else EDITION
        )
        for layer in visible(principal, CATALOG)
    )
    return replace(PortalView("zh", entries, CATALOG.codelists, now=NOW), **changes)


INSIDER = Principal("insider", Clearance.RESTRICTED)
