"""Linear algebra under the names of `numpy.linalg`. Products (matmul, einsum, …) are functions of minigrad itself."""

from minigrad.ops.linalg import cholesky, inv, slogdet, solve

__all__ = ["cholesky", "inv", "slogdet", "solve"]
