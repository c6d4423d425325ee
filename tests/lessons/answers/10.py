# %% 1 · right
def meta_step(log_rate, task, weights, eta):
    def loss_of(log_rate):
        phi = {"log_learning_rate": log_rate}
        return l2l.unroll(SGD(), phi, task, task.theta, {}, weights, second_derivatives=True)[0]

    loss, gradient = mg.value_and_grad(loss_of)(log_rate)
    return loss, log_rate - eta * gradient


# %% 1 · right
def meta_step(log_rate, task, weights, eta):
    phi = {"log_learning_rate": np.array(log_rate)}
    loss, slope, *_ = meta_gradient(SGD(), phi, task, task.theta, {}, weights, True)
    log_rate -= eta * slope[0]
    return [loss, log_rate]


# %% 1 · not quite · you walk uphill: subtract the gradient.
def meta_step(log_rate, task, weights, eta):
    def loss_of(log_rate):
        return l2l.unroll(SGD(), {"log_learning_rate": log_rate}, task, task.theta, {}, weights, True)[0]

    loss, gradient = mg.value_and_grad(loss_of)(log_rate)
    return loss, log_rate + eta * gradient


# %% 1 · not quite · that is the first-order gradient: pass second_derivatives=True to unroll.
def meta_step(log_rate, task, weights, eta):
    def loss_of(log_rate):
        return l2l.unroll(SGD(), {"log_learning_rate": log_rate}, task, task.theta, {}, weights, False)[0]

    loss, gradient = mg.value_and_grad(loss_of)(log_rate)
    return loss, log_rate - eta * gradient


# %% 1 · not quite · that is the slope along α. The argument that you differentiate is log α.
def meta_step(log_rate, task, weights, eta):
    def loss_of(rate):
        return l2l.unroll(SGD(), {"log_learning_rate": mg.log(rate)}, task, task.theta, {}, weights, True)[0]

    loss, gradient = mg.value_and_grad(loss_of)(np.exp(log_rate))
    return loss, log_rate - eta * gradient


# %% 1 · not quite · from rate 0.005 log_rate should move by 0.0761, yours moves by 0.1522.
def meta_step(log_rate, task, weights, eta):
    def loss_of(log_rate):
        return l2l.unroll(SGD(), {"log_learning_rate": log_rate}, task, task.theta, {}, weights, True)[0]

    loss, gradient = mg.value_and_grad(loss_of)(log_rate)
    return loss, log_rate - gradient


# %% 1 · not quite · before the step, is
def meta_step(log_rate, task, weights, eta):
    def loss_of(log_rate):
        return l2l.unroll(SGD(), {"log_learning_rate": log_rate}, task, task.theta, {}, weights, True)[0]

    new = log_rate - eta * mg.grad(loss_of)(log_rate)
    return loss_of(new), new


# %% 1 · not quite · you return the meta-loss last; it comes first, then the new log_rate.
def meta_step(log_rate, task, weights, eta):
    def loss_of(log_rate):
        return l2l.unroll(SGD(), {"log_learning_rate": log_rate}, task, task.theta, {}, weights, True)[0]

    loss, gradient = mg.value_and_grad(loss_of)(log_rate)
    return log_rate - eta * gradient, loss


# %% 1 · not quite · your function should return 2 values, the meta-loss, the new log_rate; it returns 1.
def meta_step(log_rate, task, weights, eta):
    return log_rate


# %% 1 · not quite · the new log_rate should be one finite number, it is nan.
def meta_step(log_rate, task, weights, eta):
    return 1.0, np.nan


# %% 1 · not quite · your code raised IndexError
def meta_step(log_rate, task, weights, eta):
    phi = np.array(log_rate)  # a scalar φ, where the rule wants a dict
    return mg.value_and_grad(lambda phi: l2l.unroll(SGD(), phi, task, task.theta, {}, weights, True)[0])(phi)


# %% 1 · not yet · there still is a ...
def meta_step(log_rate, task, weights, eta):
    loss, gradient = ...
    return loss, log_rate - eta * gradient
