"""minigrad: a small reverse-mode automatic differentiation engine on NumPy. Start with `minigrad/core.py`."""

from minigrad import fused, layers, linalg, tree
from minigrad.core import (
    EscapedVarError,
    SecondDerivativeError,
    Var,
    primitive,
    primitives,
    stop_gradient,
    vjp,
)
from minigrad.curvature import empirical_fisher_product, fisher_product, gauss_newton_product, hessian, hvp
from minigrad.ops.contractions import einsum
from minigrad.ops.elementwise import (
    abs,
    add,
    astype,
    clip,
    cosh,
    divide,
    exp,
    expm1,
    log,
    log1p,
    logaddexp,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sign,
    sinh,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from minigrad.ops.image import avg_pool2d, conv2d, conv2d_transpose, max_pool2d
from minigrad.ops.linalg import dot, matmul, outer, tensordot
from minigrad.ops.nn import cross_entropy, dropout, gelu, layer_norm, log_softmax, one_hot, silu, softmax
from minigrad.ops.normalization import batch_norm
from minigrad.ops.rearrange import diag, flip, repeat, roll, sort, tile, trace, tril, triu
from minigrad.ops.reduce import logsumexp, max, mean, min, norm, std, sum, var
from minigrad.ops.scans import cumprod, cumsum, prod
from minigrad.ops.shape import (
    broadcast_to,
    concatenate,
    expand_dims,
    getitem,
    moveaxis,
    pad,
    ravel,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    take,
    take_along_axis,
    transpose,
)
from minigrad.ops.trigonometric import arctan, cos, sin, tan
from minigrad.testing import GradientError, check_gradients
from minigrad.transforms import checkpoint, grad, jacobian, jvp, known_gradient, value_and_grad
