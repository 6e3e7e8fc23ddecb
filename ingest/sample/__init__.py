"""The sample region: a fictional, clearly labelled county, the same for the same size and seed."""
