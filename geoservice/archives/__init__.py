"""Archives of tiles: built from one snapshot as the reader of a clearance, registered, put into packages."""
