"""Bytes in: sources are read in a confined child, checked, staged, and loaded as one edition."""
