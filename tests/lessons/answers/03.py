# %% 1 · right
def critical(lowest, highest):
    rate = (2.0 / (np.sqrt(lowest) + np.sqrt(highest))) ** 2
    root = np.sqrt(highest / lowest)
    return rate, ((root - 1.0) / (root + 1.0)) ** 2


# %% 1 · right
def critical(lowest, highest):
    a, b = np.sqrt([lowest, highest])
    return np.array([4.0, (b - a) ** 2]) / (a + b) ** 2


# %% 1 · not quite · the worst is at λ =
def critical(lowest, highest):
    return 2.0 / (lowest + highest), 0.0


# %% 1 · not quite · all of it swings: less momentum would do.
def critical(lowest, highest):
    a, b = np.sqrt([lowest, highest])
    return 4.0 / (a + b) ** 2, 0.9


# %% 1 · not quite · has the radius
def critical(lowest, highest):
    a, b = np.sqrt([lowest, highest])
    return (b - a) ** 2 / (a + b) ** 2, 4.0 / (a + b) ** 2


# %% 1 · not quite · your function should return 2 values, α, μ; it returns 1.
def critical(lowest, highest):
    return 4.0 / (np.sqrt(lowest) + np.sqrt(highest)) ** 2


# %% 1 · not quite · your μ should be one finite number, it is nan.
def critical(lowest, highest):
    return 0.1, np.nan


# %% 1 · not yet · critical still returns
def critical(lowest, highest):
    return 2.0 / (lowest + highest), ...


# %% 2 · right
def nesterov(gradient, x, v, rate, mu):
    v = mu * v - rate * gradient(x + mu * v)
    return x + v, v


# %% 2 · right
def nesterov(gradient, x, v, rate, mu):
    v *= mu
    v -= rate * gradient(x + v)
    x += v
    return x, v


# %% 2 · right
def nesterov(gradient, x, v, rate, mu):
    x += mu * v
    slope = gradient(x)
    return [x - rate * slope, mu * v - rate * slope]


# %% 2 · not quite · this is the heavy ball: your gradient is taken at x, not where x would land.
def nesterov(gradient, x, v, rate, mu):
    v = mu * v - rate * gradient(x)
    return x + v, v


# %% 2 · not quite · the new velocity should be [
def nesterov(gradient, x, v, rate, mu):
    v = mu * v - rate * gradient(x + v)
    return x + v, v


# %% 2 · not quite · the new velocity should be [
def nesterov(gradient, x, v, rate, mu):
    v = mu * v + rate * gradient(x + mu * v)
    return x + v, v


# %% 2 · not quite · the velocity is right, but the new x is not x plus the new velocity.
def nesterov(gradient, x, v, rate, mu):
    new = mu * v - rate * gradient(x + mu * v)
    return x + mu * v + new, new


# %% 2 · not quite · both are right, in the other order: the new x comes first, then the new v.
def nesterov(gradient, x, v, rate, mu):
    v = mu * v - rate * gradient(x + mu * v)
    return v, x + v


# %% 2 · not quite · your function should return 2 values, the new x, the new v; it returns 4.
def nesterov(gradient, x, v, rate, mu):
    return x + mu * v - rate * gradient(x + mu * v)


# %% 2 · not quite · your code raised IndexError
def nesterov(gradient, x, v, rate, mu):
    half = len(x) / 2
    return x[half], v
