# %% 1 · right
def best_rate(eigenvalues):
    return 2.0 / (min(eigenvalues) + max(eigenvalues))


# %% 1 · right
def best_rate(eigenvalues):
    eigenvalues.sort()
    return 2.0 / (eigenvalues[0] + eigenvalues[-1])


# %% 1 · not quite · your α, one for all directions, should be one finite number, it is nan.
def best_rate(eigenvalues):
    return np.nan


# %% 1 · not quite · should be one finite number, it is [1.  0.1].
def best_rate(eigenvalues):
    return 1.0 / eigenvalues


# %% 1 · not quite · gives the factor 0.818182, the worst along λ = 10; 0.8181818 is possible.
def best_rate(eigenvalues):
    return (1 + 1e-7) * 2.0 / (min(eigenvalues) + max(eigenvalues))


# %% 1 · not quite · for [3.0, 0.5, 7.0] your α = 0.2 gives the factor 0.9, the worst along λ = 0.5; 0.8667 is possible.
def best_rate(eigenvalues):
    return 2.0 / (eigenvalues[0] + eigenvalues[-1])


# %% 1 · not quite · 0.8182 is possible
def best_rate(eigenvalues):
    return 2.0 / max(eigenvalues)


# %% 1 · not quite · 0.8182 is possible
def best_rate(eigenvalues):
    return -2.0 / (min(eigenvalues) + max(eigenvalues))


# %% 1 · not quite · your code raised IndexError
def best_rate(eigenvalues):
    return eigenvalues[len(eigenvalues) / 2]


# %% 2 · right
def cliff(gradient, n):
    origin = gradient(np.zeros(n))
    A = np.array([gradient(e) - origin for e in np.eye(n)])
    return 2.0 / np.linalg.eigvalsh(A)[-1]


# %% 2 · right
def cliff(gradient, n):
    A = mg.jacobian(gradient)(np.zeros(n))
    return 2.0 / max(np.linalg.eigvals(A).real)


# %% 2 · right
def cliff(gradient, n):
    v, origin = np.arange(1.0, n + 1), gradient(np.zeros(n))
    for _ in range(2000):
        v = gradient(v / np.linalg.norm(v)) - origin
    return 2.0 / np.linalg.norm(v)


# %% 2 · not quite · Elsewhere gradient(0) is not zero: take it off.
def cliff(gradient, n):
    A = np.array([gradient(e) for e in np.eye(n)])
    return 2.0 / np.linalg.eigvalsh(A)[-1]


# %% 2 · not quite · Elsewhere gradient(0) is not zero: take it off.
def cliff(gradient, n):
    A = np.stack([gradient(e) for e in np.eye(n)], axis=1)
    return 2.0 / max(np.linalg.eigvals(A).real)


# %% 2 · not quite · the loss still falls: your cliff is too low.
def cliff(gradient, n):
    origin = gradient(np.zeros(n))
    A = np.array([gradient(e) - origin for e in np.eye(n)])
    return 1.0 / np.linalg.eigvalsh(A)[-1]


# %% 2 · not quite · the loss still grows: your cliff is too high.
def cliff(gradient, n):
    origin = gradient(np.zeros(n))
    A = np.array([gradient(e) - origin for e in np.eye(n)])
    return 2.0 / np.trace(A) * n


# %% 2 · not quite · your α for a bowl in 2 dimensions should be one finite number, it is nan.
def cliff(gradient, n):
    return np.nan


# %% 2 · not quite · a rate is above zero
def cliff(gradient, n):
    return -0.1
