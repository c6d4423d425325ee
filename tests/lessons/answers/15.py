# %% 1 · right
def shift(task):
    return replace(task, theta=100 * task.theta, loss=lambda theta, batch: task.loss(theta / 100, batch))


mended = Wrapped(lstm, gradient=100.0, update=100.0)


# %% 1 · right
def shift(task):
    return replace(task, loss=lambda theta, batch: 1000.0 * task.loss(theta, batch))


mended = Wrapped(lstm, gradient=1e-3)


# %% 1 · not quite · this does not break it
def shift(task):
    return task


mended = Wrapped(lstm)


# %% 1 · not quite · it is broken, but your mended optimizer does not end below SGD
def shift(task):
    return replace(task, theta=100 * task.theta, loss=lambda theta, batch: task.loss(theta / 100, batch))


mended = Wrapped(lstm, gradient=0.01, update=0.01)


# %% 1 · not quite · SGD does not halve the loss either
def shift(task):
    return replace(task, loss=lambda theta, batch: 1000.0 + task.loss(theta, batch))


mended = Wrapped(lstm)


# %% 1 · not quite · mended should be Wrapped(lstm, ...): the same learned steps, only scaled
def shift(task):
    return replace(task, theta=100 * task.theta, loss=lambda theta, batch: task.loss(theta / 100, batch))


mended = SGD(0.1)


# %% 1 · not quite · your code raised AttributeError
def shift(task):
    return replace(task, theta=100 * task.start)


mended = Wrapped(lstm)


# %% 1 · not yet · your function still returns ... or None
def shift(task):
    replace(task, theta=100 * task.theta)


mended = Wrapped(lstm)
