"""geoservice: the composition root, where layers, tiles, ingest and web meet and the world is let in."""

from __future__ import annotations

__version__ = "0.1.0"
