"""Tile matrix sets: what they are made of, those that are built in, and those of an agency's own files."""
