"""Surfaces between stations: one property at one time, with an error for each cell."""
