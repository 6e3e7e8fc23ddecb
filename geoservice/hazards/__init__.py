"""Hazard zones by all methods: what is wanted of layers, pure methods that make zones, zones that are kept."""
