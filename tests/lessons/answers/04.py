# %% 1 · right
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    m_hat = m / (1 - beta1 ** (t + 1))
    v = beta2 * v + (1 - beta2) * gradient**2
    v_hat = v / (1 - beta2 ** (t + 1))
    return -alpha * m_hat / (np.sqrt(v_hat) + epsilon), m, v


# %% 1 · right
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m += (1 - beta1) * (gradient - m)
    v += (1 - beta2) * (gradient * gradient - v)
    first, second = 1 - np.power(beta1, t + 1), 1 - np.power(beta2, t + 1)
    update = m / first
    update /= (v / second) ** 0.5 + epsilon
    return (-alpha * update, m, v)


# %% 1 · not quite · So close to it, only ε can be in a wrong place.
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1))
    return -alpha * m_hat / np.sqrt(v_hat) + epsilon, m, v


# %% 1 · not quite · So close to it, only ε can be in a wrong place.
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1))
    return -alpha * (m_hat / np.sqrt(v_hat) + epsilon), m, v


# %% 1 · not quite · where the gradient is always 2e-7, your update 0 is -0.1, Adam's is -0.0952381.
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1))
    return -alpha * m_hat / np.sqrt(v_hat), m, v


# %% 1 · not quite · where the gradient is always 2e-7, your update 0 is
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1))
    return -alpha * m_hat / np.sqrt(v_hat + epsilon**2), m, v


# %% 1 · not quite · where the gradients are 1, -2, 1, -2, …, your update 1 is
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    m_hat = m / (1 - beta1 ** (t + 1))
    v = beta2 * v + (1 - beta2) * m_hat**2
    v_hat = v / (1 - beta2 ** (t + 1))
    return -alpha * m_hat / (np.sqrt(v_hat) + epsilon), m, v


# %% 1 · not quite · where the gradient is always 3, your update 0 is
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    return -alpha * m / (np.sqrt(v) + epsilon), m, v


# %% 1 · not quite · the update should be one finite number, it is nan.
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return np.nan, m, v


# %% 1 · not quite · your function should return 3 values, the update, m, v; it returns 1.
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return -alpha * gradient


# %% 1 · not yet · there still is a ...
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * gradient
    v = ...
    return -alpha * m / (v + epsilon), m, v
