"""Stations as a duty officer asks for them: by class of their index, the worst first, at any time."""
