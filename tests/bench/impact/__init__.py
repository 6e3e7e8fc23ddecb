"""Impact of zones in a synthetic country of a million parcels, beside PostGIS and geopandas."""
