# %% 1 · right
def matmul_rule(z, x, y):
    return lambda u: u @ mg.swapaxes(y, -1, -2), lambda u: mg.swapaxes(x, -1, -2) @ u


# %% 1 · right
def matmul_rule(z, x, y):
    def to_x(u, y=y):
        return mg.matmul(u, mg.swapaxes(y, -2, -1))

    def to_y(u, x=x):
        return mg.matmul(mg.swapaxes(x, -2, -1), u)

    return to_x, to_y


# %% 1 · not quite · shapes (5, 2, 3) @ (3, 4):
def matmul_rule(z, x, y):
    return lambda u: u @ mg.transpose(y), lambda u: mg.transpose(x) @ u


# %% 1 · not quite · shapes (2, 3) @ (3, 4):
def matmul_rule(z, x, y):
    return lambda u: mg.swapaxes(x, -1, -2) @ u, lambda u: u @ mg.swapaxes(y, -1, -2)


# %% 1 · not quite · shapes (2, 3) @ (3, 4):
def matmul_rule(z, x, y):
    return lambda u: -u @ mg.swapaxes(y, -1, -2), lambda u: mg.swapaxes(x, -1, -2) @ u


# %% 1 · not quite · your function should return 2 values, the VJP to x, the VJP to y; it returns 1.
def matmul_rule(z, x, y):
    return lambda u: u @ mg.swapaxes(y, -1, -2)


# %% 1 · not quite · your code raised TypeError: NumPy cannot read a Var: use the function of the same name in minigrad
def matmul_rule(z, x, y):
    return lambda u: np.matmul(u, mg.swapaxes(y, -1, -2)), lambda u: mg.swapaxes(x, -1, -2) @ u


# %% 1 · not yet
def matmul_rule(z, x, y):
    def to_y(u):
        return ...

    return lambda u: u @ mg.swapaxes(y, -1, -2), to_y


# %% 2 · right
def softmax_rule(y, x):
    return lambda u: y * (u - mg.sum(u * y, -1, True))


# %% 2 · right
def softmax_rule(y, x):
    def to_x(u, y=y):
        v = u * y
        return v - y * mg.sum(v, -1, True)

    return to_x


# %% 2 · not quite · the whole Jacobian
def softmax_rule(y, x):
    def to_x(u):
        n = y.shape[-1]
        column = mg.reshape(y, (*y.shape, 1))
        J = column * (np.eye(n) - mg.swapaxes(column, -1, -2))
        return mg.sum(mg.reshape(u, (*u.shape, 1)) * J, -2)

    return to_x


# %% 2 · not quite · your rule keeps x in memory, it should keep y alone.
def softmax_rule(y, x):
    return lambda u: (y + 0.0 * x) * (u - mg.sum(u * y, -1, True))


# %% 2 · not quite · your rule keeps an array of its own in memory, it should keep y alone.
def softmax_rule(y, x):
    two = 2.0 * y
    return lambda u: two * (u - mg.sum(u * y, -1, True)) / 2.0


# %% 2 · not quite · shape (4,)
def softmax_rule(y, x):
    return lambda u: y * (1.0 - y) * u


# %% 2 · not quite · shape (3, 5)
def softmax_rule(y, x):
    return lambda u: y * (u - mg.sum(u * y))


# %% 2 · not quite · your code raised TypeError: NumPy cannot read a Var: use the function of the same name in minigrad
def softmax_rule(y, x):
    return lambda u: np.multiply(y, u - mg.sum(u * y, -1, True))
