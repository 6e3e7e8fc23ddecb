"""Printed maps: what was asked for, where it lies on the ground and on paper, and how it is made; no HTTP."""
