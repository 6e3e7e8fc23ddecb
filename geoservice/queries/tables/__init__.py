"""Tables that come in and go out: CSV, NDJSON, GeoJSON text sequences, Parquet, Arrow streams."""
