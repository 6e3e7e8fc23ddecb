"""Signed reports: an impact or a compliance answer as pages, tables and rows, with all that is needed to check it."""
