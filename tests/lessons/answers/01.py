# %% 1 · right
h = np.cbrt(3 * 1.1e-16 * 101 / 100.0**3)

# %% 1 · right
h = -3e-7

# %% 1 · not quite · That is truncation: your h is too large.
h = 1e-5

# %% 1 · not quite · That is rounding: your h is too small. Have you counted both roundings
h = 1e-8

# %% 1 · not quite · That is rounding
h = 5.8e-8

# %% 1 · not quite · That is rounding
h = np.cbrt(3 * 1.1e-16 / 100.0**3)

# %% 1 · not quite · h should be one finite number, it is nan.
h = np.nan

# %% 1 · not quite · h should be one finite number, it is [
h = np.array([1e-7, 3e-7])

# %% 1 · not quite · with h = 0 both values are the same.
h = 0.0


# %% 1 · not quite · That is truncation
def g(x):
    return x


h = 1e-3


# %% 2 · right
def complex_step(f, x, h=1e-20):
    return f(x + 1j * h).imag / h


# %% 2 · right
complex_step = lambda f, x: np.imag(f(complex(x, 1e-30))) * 1e30


# %% 2 · not quite · complex_step(f, 1.) should be 3.756049227
def complex_step(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)


# %% 2 · not quite · complex_step(f, 1.) should be 3.756049
def complex_step(f, x, h=1e-20):
    return f(x + 1j * h).imag


# %% 2 · not quite · (off by
def complex_step(f, x, h=1e-20):
    return f(x + 1j * h).real / h


# %% 2 · not quite · (off by
def complex_step(f, x, h=1e-20):
    return f(x + 1j * h) / h


# %% 2 · not yet · complex_step still returns
def complex_step(f, x, h=1e-20):
    f(x + 1j * h).imag / h


# %% 2 · not yet · there still is a ...
def complex_step(f, x, h=1e-20):
    return f(x + 1j * h).imag / ...
