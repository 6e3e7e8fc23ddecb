"""Vector tiles from the database: what is asked for and how it is drawn; no HTTP."""
