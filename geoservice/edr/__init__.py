"""Environmental data by place, time and parameter (OGC API EDR): from stations and from rasters."""
