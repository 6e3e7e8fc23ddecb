"""Observations: stations and their readings in time, written in batches, read as latest values and series."""
