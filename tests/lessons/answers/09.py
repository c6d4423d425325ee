# %% 1 · right
targets = curve(spot)

# %% 1 · right
bends = np.array([mg.hessian(lambda theta: curve(theta)[k])(spot).ravel() for k in range(8)])
targets = curve(spot) + np.linalg.svd(bends.T)[2][-1]  # residuals in which the bends of the outputs cancel

# %% 1 · not quite · the two matrices differ by 0.
targets = curve(spot) + 1e-3

# %% 1 · not quite · the two matrices differ by
targets = np.zeros(8)

# %% 1 · not quite · targets should have shape (8,), as the outputs have, not ()
targets = 0.0


# %% 1 · not quite · curve is another function now. Choose targets; the model stays.
def curve(theta):
    return X[:8, :3] @ theta


targets = np.zeros(8)


# %% 1 · not quite · spot has changed. Choose targets; the place and the model stay.
def curve(theta):
    return theta[0] * mg.sin(theta[1] * X[:8, 0] + theta[2])


spot = np.zeros(3)
targets = np.zeros(8)

# %% 1 · not yet
spot, targets = np.array([0.7, -1.3, 0.4]), [0.0, ...]


# %% 2 · right
def stretch(p):
    return p / (1.0 - p)


# %% 2 · right
def stretch(p):
    fisher = p * (1 - p) ** 2 + (1 - p) * p**2
    return fisher / (1 - p) ** 2


# %% 2 · not quite · stretch(0.2) should be 0.25, it is 4.
def stretch(p):
    return (1.0 - p) / p


# %% 2 · not quite · stretch(0.5) should be 1., it is 2.
def stretch(p):
    return 1.0 / (1.0 - p)


# %% 2 · not quite · stretch(0.5) should be 1., it is nan
def stretch(p):
    return np.nan
