"""Compiled kernels, one file each with its NumPy reference beside it. `_jit.py` holds the one decorator.

Importing them compiles nothing: that happens at the first call, and its result is kept on disk.
"""
