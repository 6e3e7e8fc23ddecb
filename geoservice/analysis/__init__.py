"""Answers about a zone: what lies in it, measured on the ellipsoid. No HTTP; statements are pure, runners async."""
