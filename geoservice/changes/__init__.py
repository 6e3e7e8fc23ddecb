"""What changed between two editions of a layer, for those who keep a copy of it."""
