"""One module per step, in one line of descent."""
