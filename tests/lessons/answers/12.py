# %% 1 · right
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        batch = task.next_batch()
        loss, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), batch)
        meta_loss = meta_loss + weight * mg.known_gradient(loss, theta, gradient)
        update, state = optimizer(phi, gradient, state)
        theta = theta + update
    return meta_loss, theta, state


# %% 1 · right
def my_unroll(optimizer, phi, task, theta, state, weights):
    terms = []
    for weight in weights:
        batch = task.next_batch()
        terms.append(weight * task.loss(theta, batch))
        update, state = optimizer(phi, mg.stop_gradient(mg.grad(task.loss)(theta, batch)), state)
        theta = theta + update
    return sum(terms), theta, state


# %% 1 · right
def my_unroll(*given):
    return l2l.unroll(*given)[:3]


# %% 1 · not quite · your function should return 3 values, the meta-loss, the last θ, the last h; it returns 1.
def my_unroll(optimizer, phi, task, theta, state, weights):
    return l2l.unroll(optimizer, phi, task, theta, state, weights)[0]


# %% 1 · not quite · your function should return 3 values, the meta-loss, the last θ, the last h; it returns 1.
def my_unroll(optimizer, phi, task, theta, state, weights):
    return mg.stop_gradient(l2l.unroll(optimizer, phi, task, theta, state, weights)[0])


# %% 1 · not quite · the exact meta-gradient; but the first-order one was asked for.
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        loss, gradient = mg.value_and_grad(task.loss)(theta, task.next_batch())
        meta_loss = meta_loss + weight * loss
        update, state = optimizer(phi, gradient, state)
        theta = theta + update
    return meta_loss, theta, state


# %% 1 · not quite · the meta-gradient is zero: your meta-loss does not depend on theta, as the tape sees it.
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        loss, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), task.next_batch())
        meta_loss = meta_loss + weight * loss
        update, state = optimizer(phi, gradient, state)
        theta = theta + update
    return meta_loss, theta, state


# %% 1 · not quite · is the sum without weights.
def my_unroll(optimizer, phi, task, theta, state, weights):
    return l2l.unroll(optimizer, phi, task, theta, state, [1.0] * len(weights))[:3]


# %% 1 · not quite · Is the update added, the state handed on, and one batch drawn a step?
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        loss, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), task.next_batch())
        meta_loss = meta_loss + weight * mg.known_gradient(loss, theta, gradient)
        update, _ = optimizer(phi, gradient, state)
        theta = theta + update
    return meta_loss, theta, state


# %% 1 · not quite · θ is right; the state that you return is not the last one.
def my_unroll(optimizer, phi, task, theta, state, weights):
    first = state
    meta_loss, theta, *_ = l2l.unroll(optimizer, phi, task, theta, state, weights)
    return meta_loss, theta, first


# %% 1 · not quite · Each f(θ_t) counts before update t, on one batch a step.
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        batch = task.next_batch()
        _, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), batch)
        update, state = optimizer(phi, gradient, state)
        theta = theta + update
        meta_loss = meta_loss + weight * task.loss(theta, batch)
    return meta_loss, theta, state


# %% 1 · not quite · Only ∇_t is a constant: θ and the state keep their slopes.
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        loss, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), task.next_batch())
        meta_loss = meta_loss + weight * mg.known_gradient(loss, theta, gradient)
        update, state = optimizer(phi, gradient, mg.stop_gradient(state))
        theta = theta + update
    return meta_loss, theta, state


# %% 1 · not yet · there still is a ...
def my_unroll(optimizer, phi, task, theta, state, weights):
    meta_loss = 0.0
    for weight in weights:
        loss, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), task.next_batch())
        meta_loss = meta_loss + weight * ...
        update, state = ...
    return meta_loss, theta, state
