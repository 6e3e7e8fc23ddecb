"""Zonal statistics of 2,900 divisions over a raster of 400 million cells, beside exactextract."""
