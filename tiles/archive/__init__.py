"""Tiles of many places as one file: which there are, drawing them in parts, PMTiles and MBTiles."""
