"""The portal and the readable pages: HTML out.

This package is handed visible layers, answers and address patterns. It opens no database and knows no web framework,
so it cannot show what was not handed to it.
"""
