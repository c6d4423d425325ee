# %% 1 · right
def exact_slope(rate, steps):
    slope, costate = 0.0, np.zeros_like(steps[0].theta)
    for step in reversed(steps):
        slope = slope - rate * np.sum(step.gradient * costate)
        costate = step.weight * step.gradient + costate - rate * mg.hvp(step.f, step.theta, costate)
    return slope


# %% 1 · right
def exact_slope(rate, steps):
    slope, costate = 0.0, np.zeros_like(steps[0].theta)
    for step in steps[::-1]:
        slope -= rate * step.gradient @ costate
        costate = step.weight * step.gradient + costate - rate * mg.hessian(step.f)(step.theta) @ costate
    return slope


# %% 1 · not quite · that still is the first-order slope: your reaction is zero.
def exact_slope(rate, steps):
    return first_order_slope(rate, steps)


# %% 1 · not quite · the sign: K is −α I, the update goes against the gradient.
def exact_slope(rate, steps):
    slope, costate = 0.0, np.zeros_like(steps[0].theta)
    for step in reversed(steps):
        slope = slope - rate * np.sum(step.gradient * costate)
        costate = step.weight * step.gradient + costate + rate * mg.hvp(step.f, step.theta, costate)
    return slope


# %% 1 · not quite · you multiply H with the gradient; it acts on the costate λ.
def exact_slope(rate, steps):
    slope, costate = 0.0, np.zeros_like(steps[0].theta)
    for step in reversed(steps):
        slope = slope - rate * np.sum(step.gradient * costate)
        costate = step.weight * step.gradient + costate - rate * mg.hvp(step.f, step.theta, step.gradient)
    return slope


# %% 1 · not yet · there still is a ...
def exact_slope(rate, steps):
    slope, costate = 0.0, np.zeros_like(steps[0].theta)
    for step in reversed(steps):
        slope = slope - rate * np.sum(step.gradient * costate)
        costate = step.weight * step.gradient + costate + ...
    return slope
