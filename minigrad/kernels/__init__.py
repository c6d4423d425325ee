"""Compiled kernels, one file each with its NumPy reference beside it. `_jit.py` holds the one decorator.

Importing them compiles nothing. A kernel is compiled at its first call, and the result is cached on disk.
"""
