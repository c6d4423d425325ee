# %% 1 · right
def fit_momentum(gradients, updates):
    columns = [updates[:-1].ravel(), gradients[1:].ravel()]
    momentum, slope = np.linalg.lstsq(np.stack(columns, axis=1), updates[1:].ravel(), rcond=None)[0]
    return -slope, momentum


# %% 1 · right
def fit_momentum(gradients, updates):
    before, now, g = updates[:-1], updates[1:], -gradients[1:]
    A = [[np.vdot(g, g), np.vdot(g, before)], [np.vdot(before, g), np.vdot(before, before)]]
    return np.linalg.solve(A, [np.vdot(g, now), np.vdot(before, now)])


# %% 1 · not quite · These are the two, in the other order: first α, then μ.
def fit_momentum(gradients, updates):
    columns = [updates[:-1].ravel(), gradients[1:].ravel()]
    momentum, slope = np.linalg.lstsq(np.stack(columns, axis=1), updates[1:].ravel(), rcond=None)[0]
    return momentum, -slope


# %% 1 · not quite · A sign is lost: an update goes against the gradient.
def fit_momentum(gradients, updates):
    columns = [updates[:-1].ravel(), gradients[1:].ravel()]
    momentum, slope = np.linalg.lstsq(np.stack(columns, axis=1), updates[1:].ravel(), rcond=None)[0]
    return slope, momentum


# %% 1 · not quite · Does each update stand beside its own gradient, and the update before?
def fit_momentum(gradients, updates):
    columns = [updates[:-1].ravel(), gradients[:-1].ravel()]
    momentum, slope = np.linalg.lstsq(np.stack(columns, axis=1), updates[1:].ravel(), rcond=None)[0]
    return -slope, momentum


# %% 1 · not quite · the record was made with α = 0.1, μ = 0.9. You found 0.100001 and 0.9.
def fit_momentum(gradients, updates):
    columns = [updates[:-1].ravel(), gradients[1:].ravel()]
    momentum, slope = np.linalg.lstsq(np.stack(columns, axis=1), updates[1:].ravel(), rcond=None)[0]
    return -slope * 1.00001, momentum


# %% 1 · not quite · your function should return 2 values, α, μ; it returns 1.
def fit_momentum(gradients, updates):
    return 0.1


# %% 1 · not quite · α should be one finite number, it is nan.
def fit_momentum(gradients, updates):
    return np.nan, 0.9


# %% 1 · not yet · fit_momentum still returns
def fit_momentum(gradients, updates):
    return 0.1, ...
