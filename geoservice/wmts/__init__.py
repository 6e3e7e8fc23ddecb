"""Web Map Tile Service 1.0.0 (OGC 07-057r7): what requests mean, the description, tiles and what lies in them."""
