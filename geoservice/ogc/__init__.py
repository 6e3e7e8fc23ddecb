"""OGC API building blocks: one module per standard, listed in `geoservice.ogc.blocks.BLOCKS`."""
