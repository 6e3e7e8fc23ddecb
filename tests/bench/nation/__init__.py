"""Tiles of a synthetic country: a million parcels, 300,000 roads, 50,000 rivers, 2,900 counties."""
