"""Exceedances: when readings or their means were beyond a limit of a standard or a declared threshold."""
