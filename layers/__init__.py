"""The vocabulary: what a layer is, where it lies, who may see it and how it looks.

This package knows no other package of the product and opens no connection.
"""
