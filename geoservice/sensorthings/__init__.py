"""OGC SensorThings API 1.1 (18-088): its query language, its entities over the tables of observations, its writes."""
