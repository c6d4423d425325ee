"""Steps of sums of products, linear algebra and neural networks, for `graphs.py`: as in `graph_steps.py`."""

import numpy as np

from tests.minigrad.graph_steps import proposal


class Seed(int):
    """Stands for a new random generator each time that a program runs."""


# ------------------------------------------------------------------------------------------ products


@proposal(3)
def einsum(b):
    """Up to three operands; an index may repeat, be summed alone or stand for an axis of length 1."""
    x = b.pick(lambda x: x.ndim <= 4)
    terms, lengths = [], {}
    shape = b.value(x).shape
    dotted = b.integer(0, len(shape)) if b.chance(0.3) else 0
    operands = [x]
    for n in shape[dotted:]:
        lengths.setdefault(an_index(b, lengths, n, terms), n)
    terms = ["".join(terms)]
    for _ in range(b.choice([0, 1, 1, 1, 2])):
        term = [i for i in lengths if b.chance(0.6)]
        new = next(i for i in "abcdefgh" if i not in lengths)
        if b.chance(0.4):
            lengths[new] = b.side()
            term.insert(b.integer(0, len(term)), new)
        terms.append("".join(term))
        sides = [1 if b.chance(0.05) else b.side() if b.chance(0.02) else lengths[i] for i in term]
        operands.append(b.some(sides))
    if dotted:
        terms[0] = "..." + terms[0]
    result = "".join(i for i in (list(lengths)[j] for j in b.rng.permutation(len(lengths))) if b.chance(0.5))
    arrow = "" if b.chance(0.2) else "->" + "..." * bool(dotted) + result
    return b.push("einsum", ",".join(terms) + arrow, *operands)


def an_index(b, lengths, n, term):
    """A new letter for an axis of length n, or seldom one that its operand has already."""
    equal = [i for i in lengths if lengths[i] == n]
    index = b.choice(equal) if equal and b.chance(0.4) else "abcd"[len(lengths)]
    term.append(index)
    return index


@proposal(2)
def tensordot(b):
    x = b.pick(lambda x: x.ndim <= 4)
    shape = b.value(x).shape
    n = b.integer(0, min(2, len(shape)))
    if b.chance(0.5):
        return b.push("tensordot", x, b.some((*shape[len(shape) - n :], *b.shape(b.integer(0, 1)))), n)
    summed = [int(i) for i in b.rng.permutation(len(shape))[:n]]
    sides = [shape[i] for i in summed]
    y = b.some((b.side(), *sides[::-1]))
    return b.push("tensordot", x, y, (summed, [int(i) - b.choice([0, n + 1]) for i in range(n, 0, -1)]))


@proposal()
def trace(b):
    x = b.pick(lambda x: x.ndim > 1 or b.chance(0.03))
    axes = b.value(x).ndim
    options = {"offset": b.integer(-2, 2)} if b.chance(0.5) else {}
    return b.push("trace", x, **options) if b.chance(0.4) else b.push("trace", x, 0, b.axis(axes), b.axis(axes))


# ------------------------------------------------------------------------------------------ equations


def matrices(b):
    """Square ones, seldom a stack of them."""
    if b.chance(0.4):
        return b.pick(lambda x: x.ndim > 1 and x.shape[-1] == x.shape[-2] > 0)
    n = b.side(1, 3)
    return b.some((*b.shape(b.choice([0, 0, 1])), n, n), constant=False)


def regular(b):
    """Matrices that are far from singular ones."""
    x = matrices(b)
    n = b.value(x).shape[-1]
    x = b.push("add", x, 3.0 * np.eye(n)) if b.chance(0.7) else x
    b.require(b.value(x).size and np.all(np.linalg.cond(b.value(x)) < 15))
    return x


@proposal(2)
def solve(b):
    a = regular(b)
    *stack, n, _ = b.value(a).shape
    if b.chance(0.4):
        return b.push("solve", a, b.some((n,)))
    stack = b.broadcastable(stack) if b.chance(0.5) else ()
    return b.push("solve", a, b.some((*stack, n + b.chance(0.02), b.side())))


@proposal(3)
def of_matrices(b):
    name = b.choice(["inv", "logabsdet", "slogdet", "cholesky"])
    if name == "cholesky":
        x = matrices(b)
        square = b.push("matmul", x, b.push("swapaxes", x, -1, -2))
        return b.push(name, b.push("add", square, np.eye(b.value(x).shape[-1])))
    y = b.push(name, regular(b))
    return b.push("multiply", *(b.push("getitem", y, i) for i in (0, 1))) if name == "slogdet" else y


# ------------------------------------------------------------------------------------------ neural networks


@proposal(2)
def layer_norm(b):
    x = b.pick(lambda x: x.ndim and x.size)
    b.require(np.all(np.var(b.value(x), -1) > 0.1))
    n = b.value(x).shape[-1:]
    return b.push("layer_norm", x, b.some(n), b.some(n), *(() if b.chance(0.5) else (1e-2,)))


@proposal()
def dropout(b):
    return b.push("dropout", b.pick(), b.choice([0.0, 0.2, 0.5]), Seed(b.integer(0, 99)))


@proposal()
def one_hot(b):
    classes, shape = b.side(1, 3), b.shape(b.integer(0, 2))
    hot = b.push("one_hot", b.integers(0, classes - 1, shape), b.as_integer(classes))
    return b.push("multiply", hot, b.some((*shape, classes), constant=False))
