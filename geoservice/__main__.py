"""`python -m geoservice`."""

from __future__ import annotations

from geoservice.command import main

main()
