# %% 1 · right
def my_hvp(f, x, v):
    return mg.grad(lambda x: mg.sum(mg.grad(f)(x) * v))(x)


# %% 1 · right
def my_hvp(f, x, v):
    return mg.vjp(mg.grad(f), x)[1](v)


# %% 1 · right
def my_hvp(f, x, v):
    return mg.jvp(mg.grad(f), x, v)[1]


# %% 1 · not quite · mg.hvp is the box. Write what is in it, with mg.grad.
def my_hvp(f, x, v):
    return mg.hvp(f, x, v)


# %% 1 · not quite · the whole Hessian, for one product.
def my_hvp(f, x, v):
    return mg.hessian(f)(x) @ v


# %% 1 · not quite · that is a finite difference, the next part of this lesson.
def my_hvp(f, x, v):
    return (mg.grad(f)(x + 1e-5 * v) - mg.grad(f)(x - 1e-5 * v)) / 2e-5


# %% 1 · not quite · the result is off by 0.2 %.
def my_hvp(f, x, v):
    return 1.002 * mg.grad(lambda x: mg.sum(mg.grad(f)(x) * v))(x)


# %% 1 · not quite · the result is off by nan %.
def my_hvp(f, x, v):
    return np.nan * v


# %% 1 · not quite · Is the outer derivative that of ∇f(x)·v, with v held fixed?
def my_hvp(f, x, v):
    return mg.grad(lambda x: mg.sum(mg.grad(f)(x)) * mg.sum(v))(x)


# %% 1 · not quite · for 64 coordinates the result has shape ()
def my_hvp(f, x, v):
    return mg.sum(mg.grad(f)(x) * v)


# %% 1 · not quite · your code raised IndexError
def my_hvp(f, x, v):
    return mg.grad(lambda x: mg.grad(f)(x)[len(x) / 2])(x)


# %% 1 · not yet · my_hvp still returns
def my_hvp(f, x, v):
    mg.grad(lambda x: mg.sum(mg.grad(f)(x) * v))(x)


# %% 2 · right
def differenced_hvp(f, x, v):
    h = 1e-5 / np.linalg.norm(v)
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% 2 · right
def differenced_hvp(f, x, v):
    h = 1e-5 / np.max(np.abs(v))
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% 2 · right
def differenced_hvp(f, x, v):
    length = np.sqrt(v @ v)
    v /= length
    return (mg.grad(f)(x + 1e-5 * v) - mg.grad(f)(x - 1e-5 * v)) * (length / 2e-5)


# %% 2 · not quite · with a v whose sum is 0, of length
def differenced_hvp(f, x, v):
    h = 1e-5 / np.sum(v)
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% 2 · not quite · with a v of zeros and one number
def differenced_hvp(f, x, v):
    h = 1e-5 / abs(v[0])
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% 2 · not quite · with a v of random numbers, of length 1e+06
def differenced_hvp(f, x, v):
    h = 1e-5
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% 2 · not quite · of length 1e+06
def differenced_hvp(f, x, v):
    h = 1e-5 / (v @ v)
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% 2 · not quite · that is exact: it must have used a second derivative.
def differenced_hvp(f, x, v):
    return mg.hvp(f, x, v)


# %% 2 · not yet · there still is a ...
def differenced_hvp(f, x, v):
    h = 1e-5 / ...
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)
