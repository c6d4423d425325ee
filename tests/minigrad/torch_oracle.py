"""What minigrad's functions compute, said again in PyTorch, for `test_random_graphs.py`.

`torch_function(name)` finds a function by its name in minigrad: PyTorch's own operation where it has one. Whatever only
moves elements is done by NumPy to their positions, by which PyTorch then picks them.
"""

import functools
import math

import numpy as np

from tests.minigrad.oracles import borders, by_channel, kept, numpy_function, pair, pick2d, positions

MOVES = ["broadcast_to", "concatenate", "expand_dims", "getitem", "join", "moveaxis", "pad", "pick2d", "ravel"]
MOVES += ["reshape", "split", "squeeze", "stack", "swapaxes", "take", "take_along_axis", "transpose"]
MOVES += ["diag", "flip", "repeat", "roll", "tile", "tril", "triu"]


@functools.cache
def torch_functions():
    """The table of what is not PyTorch's function of the same name."""
    import torch
    from torch.nn import functional

    def tensor(x):
        if isinstance(x, np.ndarray) and x.dtype == bool:
            return torch.as_tensor(x)
        return torch.as_tensor(x, dtype=torch.float64)

    def on_tensors(function):
        return lambda *args: function(*(arg if arg is None else tensor(arg) for arg in args))

    def moved(name):
        """NumPy's function, applied to the positions of the elements; 0 is the position of the zeros of `pad`."""

        def move(x, *args, **options):
            several = isinstance(x, list)
            if name == "join":
                x, args, several = [x, *args], (), True
            elif name == "getitem" and several:  # one of the parts of split
                return x[args[0]]
            arrays = [tensor(array) for array in (x if several else [x])]
            ends = np.cumsum([1, *(array.numel() for array in arrays)])
            at = [p + positions(array.shape) for p, array in zip(ends[:-1], arrays, strict=True)]
            where = numpy_function("concatenate" if name == "join" else name)(
                at if several else at[0], *args, **options
            )
            elements = torch.cat([tensor([0.0]), *(array.reshape(-1) for array in arrays)])
            pick = lambda positions: elements[torch.tensor(positions.copy())]  # noqa: E731
            return list(map(pick, where)) if isinstance(where, list) else pick(where)

        return move

    def added(positions, y, shape):
        zeros = torch.zeros(math.prod(shape), dtype=torch.float64)
        return zeros.index_add(0, torch.tensor(positions.copy()).reshape(-1), tensor(y).reshape(-1)).reshape(shape)

    def reduction(function):
        """function(rows, axis) over any axes, moved to the end and made one."""

        def reduced(x, axis=None, keepdims=False):
            shape = tuple(x.shape)
            axes = range(len(shape)) if axis is None else np.atleast_1d(np.array(axis, int)) % max(len(shape), 1)
            kept, gone = ([i for i in range(len(shape)) if (i in axes) == reduced] for reduced in (False, True))
            rows = x.permute(kept + gone).reshape([*(shape[i] for i in kept), math.prod(shape[i] for i in gone)])
            y = function(rows, -1)
            return y.reshape([1 if i in gone else n for i, n in enumerate(shape) if keepdims or i in kept])

        return reduced

    def padded(x, padding, size):
        (top, bottom), (left, right) = borders(padding, size)
        return functional.pad(tensor(x), (left, right, top, bottom))

    def conv2d(x, weights, bias=None, stride=1, padding=0):
        x, weights = padded(x, padding, weights.shape[2:]), tensor(weights)
        return functional.conv2d(x, weights, None if bias is None else tensor(bias), stride)

    def conv2d_transpose(y, weights, image, stride=1, padding=0):
        (top, bottom), (left, right) = borders(padding, weights.shape[2:])
        x = functional.conv_transpose2d(tensor(y), tensor(weights), stride=stride)
        missing = [n + sum(b) - m for n, b, m in zip(image, ((top, bottom), (left, right)), x.shape[2:], strict=True)]
        x = functional.pad(x, (0, missing[1], 0, missing[0]))
        return x[:, :, top : top + image[0], left : left + image[1]]

    def conv2d_weights(x, y, size, stride=1, padding=0):
        x, y = padded(x, padding, size).transpose(0, 1), tensor(y).transpose(0, 1)
        w = functional.conv2d(x, y, dilation=stride)
        return w[:, :, : size[0], : size[1]].transpose(0, 1)

    def avg_unpool2d(y, shape, window, stride=None):
        window = pair(window)
        kernel = torch.full((shape[1], 1, *window), 1.0 / np.prod(window), dtype=torch.float64)
        x = functional.conv_transpose2d(y, kernel, stride=window if stride is None else stride, groups=shape[1])
        return functional.pad(x, (0, shape[3] - x.shape[3], 0, shape[2] - x.shape[2]))

    def batch_norm(x, gamma, beta, epsilon=1e-5):
        axes = (0, 2, 3)[: x.ndim - 1]
        variance, mean = torch.var_mean(tensor(x), axes, correction=0, keepdim=True)
        x_hat = (tensor(x) - mean) * torch.rsqrt(variance + epsilon)
        return x_hat * by_channel(tensor(gamma), x) + by_channel(tensor(beta), x)

    def pulled_back(g, x, gamma, epsilon, to):
        x, gamma = tensor(x), tensor(gamma)
        # copies, for gamma and g may be functions of x
        x, gamma = (p.clone() if p.requires_grad else p.clone().requires_grad_() for p in (x, gamma))
        y = batch_norm(x, gamma, torch.zeros_like(gamma), epsilon)
        return torch.autograd.grad(y, (x, gamma), tensor(g), create_graph=True)[to]

    def along(function):
        """function(x, axis) of x as a vector where axis is None or x a number."""
        return lambda x, axis=None: function(*((x.reshape(-1), 0) if axis is None or not x.ndim else (x, int(axis))))

    def solve(a, b):  # of which PyTorch's would take some matrices for vectors
        a, b = tensor(a), tensor(b)
        return (torch.linalg.inv(a) @ b[:, None])[..., 0] if b.ndim == 1 else torch.linalg.inv(a) @ b

    def pool(function):
        return lambda x, window, stride=None: function(x, window, stride)

    table = {name: on_tensors(getattr(torch, name)) for name in ("add", "subtract", "multiply", "divide", "where")}
    table |= {name: on_tensors(getattr(torch, name)) for name in ("maximum", "minimum", "matmul", "logaddexp")}
    table |= {name: getattr(torch.linalg, name) for name in ("inv", "cholesky")}
    table |= {name: moved(name) for name in MOVES}
    return table | {
        "astype": lambda x, dtype: x.to(getattr(torch, np.dtype(dtype).name)),
        "avg_pool2d": pool(functional.avg_pool2d),
        "avg_unpool2d": avg_unpool2d,
        "batch_norm": batch_norm,
        "batch_norm_to_gamma": lambda g, x, epsilon: pulled_back(g, x, np.ones(x.shape[1]), epsilon, 1),
        "batch_norm_to_x": lambda g, x, gamma, epsilon: pulled_back(g, x, gamma, epsilon, 0),
        "clip": on_tensors(torch.clip),
        "conv2d": conv2d,
        "conv2d_transpose": conv2d_transpose,
        "conv2d_weights": conv2d_weights,
        "cross_entropy": lambda x, labels: functional.cross_entropy(x, torch.as_tensor(labels, dtype=torch.int64)),
        "dot": on_tensors(lambda x, y: x * y if 0 in (x.ndim, y.ndim) else x @ y),
        "cumprod": along(torch.cumprod),
        "cumsum": along(torch.cumsum),
        "dropout": lambda x, rate, rng: x * tensor(kept(x, rate, rng)),
        "einsum": lambda subscripts, *operands: torch.einsum(subscripts, *map(tensor, operands)),
        "gate": lambda g, y: torch.where(torch.as_tensor(y > 0), g, 0.0),
        "gelu": lambda x: functional.gelu(x, approximate="tanh"),
        "layer_norm": lambda x, gamma, beta, epsilon=1e-5: functional.layer_norm(
            tensor(x), x.shape[-1:], tensor(gamma), tensor(beta), epsilon
        ),
        "log_softmax": lambda x, axis=-1: torch.log_softmax(x, int(axis)),
        "logabsdet": lambda x: torch.linalg.slogdet(x)[1],
        "logsumexp": reduction(torch.logsumexp),
        "max": reduction(torch.amax),
        "max_pool2d": pool(functional.max_pool2d),
        "mean": reduction(torch.mean),
        "min": reduction(torch.amin),
        "norm": reduction(lambda x, axis: torch.sqrt(torch.sum(x * x, axis))),
        "one_hot": lambda labels, classes: tensor(np.eye(classes)[labels]),
        "outer": on_tensors(lambda x, y: torch.outer(x.reshape(-1), y.reshape(-1))),
        "place2d": lambda y, winners, shape, window, stride=None: added(
            pick2d(positions(shape), winners, window, stride), y, shape
        ),
        "prod": reduction(torch.prod),
        "power": on_tensors(torch.pow),
        "scatter": lambda x, index, shape: added(positions(shape)[index], x, shape),
        "silu": functional.silu,
        "slogdet": lambda x: list(torch.linalg.slogdet(x)),
        "softmax": lambda x, axis=-1: torch.softmax(x, int(axis)),
        "solve": solve,
        "sort": lambda x, axis=-1: along(lambda x, axis: torch.sort(x, dim=axis, stable=True).values)(x, axis),
        "std": reduction(lambda x, axis: torch.sqrt(torch.mean((x - torch.mean(x, axis, True)) ** 2, axis))),
        "tensordot": lambda x, y, axes: torch.tensordot(tensor(x), tensor(y), axes),
        "trace": lambda x, offset=0, axis1=0, axis2=1: torch.diagonal(x, offset, int(axis1), int(axis2)).sum(-1),
        "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
        "sum": reduction(torch.sum),
        "var": reduction(lambda x, axis: torch.mean(torch.square(x - torch.mean(x, axis, True)), axis)),
    }


def torch_function(name):
    import torch

    return torch_functions().get(name) or getattr(torch, name)
