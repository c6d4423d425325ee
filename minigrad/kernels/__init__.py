"""Compiled kernels, one file each with its NumPy reference beside it. `_jit.py` holds the one decorator.

Importing a kernel's file imports Numba but compiles nothing; `import minigrad` does neither.
"""
