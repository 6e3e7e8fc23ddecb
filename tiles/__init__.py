"""Bytes out: tile grids, vector tiles from the database, raster tiles from Cloud-Optimised GeoTIFFs."""
