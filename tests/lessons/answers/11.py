# %% 1 · right
def check_cell(cell):
    def both(weights, x, h, c):
        return mg.concatenate(cell(weights, x, h, c))

    mg.check_gradients(both, some_weights, some_x, some_h, some_c, order=1, step=3e-3)


# %% 1 · right
def check_cell(cell):
    both = lambda *given: mg.stack(cell(*given))
    mg.check_gradients(both, some_weights, some_x, some_h, some_c, order=1, step=3e-3)


# %% 1 · not quite · it passes the right cell, and also one that has no gradient through c'.
def check_cell(cell):
    first = lambda *given: cell(*given)[0]
    mg.check_gradients(first, some_weights, some_x, some_h, some_c, order=1, step=3e-3)


# %% 1 · not quite · it passes the right cell, and also one that has no gradient through h'.
def check_cell(cell):
    second = lambda *given: cell(*given)[1]
    mg.check_gradients(second, some_weights, some_x, some_h, some_c, order=1, step=3e-3)


# %% 1 · not quite · it passes the right cell, and also one that has no gradient through x.
def check_cell(cell):
    both = lambda weights, h, c: mg.concatenate(cell(weights, some_x, h, c))
    mg.check_gradients(both, some_weights, some_h, some_c, order=1, step=3e-3)


# %% 1 · not quite · it passes the right cell, and also one that has no gradient through x.
def check_cell(cell):
    pass


# %% 1 · not quite · it refuses the right cell:
def check_cell(cell):
    both = lambda *given: mg.concatenate(cell(*given))
    mg.check_gradients(both, some_weights, some_x, some_h, some_c, order=1, step=1.0)


# %% 1 · not quite · your code raised
def check_cell(cell):
    mg.check_gradients(cell, some_weights, some_x, some_h, some_c, order=1, step=3e-3)


# %% 2 · right
def distance(weights, x, state):
    fused, _ = mg.tree.ravel(mg.fused.lstm(weights, x, state))
    readable, _ = mg.tree.ravel(mg.layers.lstm(weights, x, state))
    return np.max(np.abs(fused - readable))


# %% 2 · right
def distance(weights, x, state):
    (y, new), (z, old) = mg.fused.lstm(weights, x, state), mg.layers.lstm(weights, x, state)
    largest = abs(y - z).max()
    for (h, c), (k, d) in zip(new, old):
        largest = max(largest, abs(h - k).max(), abs(c - d).max())
    return largest


# %% 2 · not quite · in the other direction. Take absolute values before the maximum.
def distance(weights, x, state):
    fused, _ = mg.tree.ravel(mg.fused.lstm(weights, x, state))
    readable, _ = mg.tree.ravel(mg.layers.lstm(weights, x, state))
    return np.max(fused - readable)


# %% 2 · not quite · in the other direction. Take absolute values before the maximum.
def distance(weights, x, state):
    fused, _ = mg.tree.ravel(mg.fused.lstm(weights, x, state))
    readable, _ = mg.tree.ravel(mg.layers.lstm(weights, x, state))
    return np.abs(np.max(fused - readable))


# %% 2 · not quite · Is it over y, h and c of both layers?
def distance(weights, x, state):
    return np.max(np.abs(mg.fused.lstm(weights, x, state)[0] - mg.layers.lstm(weights, x, state)[0]))


# %% 2 · not quite · Is it over y, h and c of both layers?
def distance(weights, x, state):
    fused, _ = mg.tree.ravel(mg.fused.lstm(weights, x, state))
    readable, _ = mg.tree.ravel(mg.layers.lstm(weights, x, state))
    return np.mean(np.abs(fused - readable))


# %% 2 · not quite · the largest difference should be one finite number, it is [
def distance(weights, x, state):
    return np.abs(mg.fused.lstm(weights, x, state)[0] - mg.layers.lstm(weights, x, state)[0])


# %% 2 · not quite · the largest difference should be one finite number, it is nan.
def distance(weights, x, state):
    return np.nan


# %% 2 · not yet · distance still returns
def distance(weights, x, state):
    np.max(np.abs(mg.fused.lstm(weights, x, state)[0]))
