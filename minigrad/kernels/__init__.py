"""The inner loops that NumPy has no fast form of: one file a kernel, its NumPy reference beside it."""
