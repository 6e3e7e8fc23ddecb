"""`python -m geoservice`."""

from __future__ import annotations

from geoservice.cli import main

main()
