"""Loads as readers may know them: kept reports, what of them is shown to whom, samples of what went wrong."""
