"""Questions about places: what is here, what holds these points, what is near, what a raster says along a line."""
