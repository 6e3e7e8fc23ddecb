"""Rasters as data: the cells of a collection in a zone, on their own grid or another, as one GeoTIFF."""
