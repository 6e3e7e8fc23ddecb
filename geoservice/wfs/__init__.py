"""Web Feature Service 2.0 (OGC 09-025r2), reading only: requests, filters (FES 2.0), GML 3.2, descriptions."""
