"""Feeds: addresses that are asked again and again, and whose answers are loaded or written as readings."""
