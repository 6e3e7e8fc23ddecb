"""Ways over a layer of lines: routes, nearest facilities, reach and matrices. Domain; knows no HTTP."""
