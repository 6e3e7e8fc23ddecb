"""How large the sample region may be; apart from what makes it, so that a command line need not load that to ask."""

from __future__ import annotations

FEWEST, MOST = 500, 1_000_000
DEFAULT_PARCELS = 4000
DEFAULT_SEED = 20260101
