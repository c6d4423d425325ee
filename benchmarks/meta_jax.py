"""The meta-step in JAX: one jitted function, whose unroll is a lax.scan."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.meta_problems import pieces


class Unroll:
    def __init__(self, workload):
        self.workload = workload
        self.phi = jax.tree.map(jnp.asarray, workload.phi)
        self.moments = jax.tree.map(jnp.zeros_like, (self.phi, self.phi))
        self.count = 0
        self.theta = jnp.asarray(workload.theta)
        self.data = [jnp.asarray(part) for part in workload.data[:2]]
        self.value_and_grad = jax.value_and_grad(self._meta_loss)
        self._compiled_gradient = jax.jit(self.value_and_grad)
        self._compiled_step = jax.jit(self._step)
        self._compiled_apply = jax.jit(lambda phi: self._scan(phi)[0][0])

    def _loss(self, theta, batch):
        if self.workload.kind == "quadratic":
            W, y = self.data
            return jnp.sum((W @ theta.reshape(y.shape) - y) ** 2)
        w = {name: theta[where].reshape(shape) for name, (where, shape) in pieces(self.workload.data[2]).items()}
        logits = jax.nn.sigmoid(batch[0] @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), batch[1][:, None], 1))

    def _cell(self, weights, x, h, c):
        both = jnp.concatenate([x, h])
        i, f, g, o = (weights["W"][k] @ both + weights["b"][k] for k in range(4))
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def _update(self, phi, gradient, state):
        x, p = gradient[None], self.workload.P
        if self.workload.preprocess:
            magnitude = jnp.log(jnp.maximum(jnp.abs(x), np.exp(-p))) / p
            x = jnp.concatenate([magnitude, jnp.clip(np.exp(p) * x, -1.0, 1.0)])
        new = []
        for weights, (h, c) in zip(phi["layers"], state, strict=True):
            h, c = self._cell(weights, x, h, c)
            new.append((h, c))
            x = h
        return self.workload.SCALE * (phi["output"]["W"] @ x + phi["output"]["b"])[0], new

    def _scan(self, phi):
        n = self.theta.size
        state = [(jnp.zeros((h, n)), jnp.zeros((h, n))) for h in self.workload.optimizer.hidden]

        def step(carry, batch):
            theta, state = carry
            loss, gradient = jax.value_and_grad(self._loss)(theta, batch)
            update, state = self._update(phi, jax.lax.stop_gradient(gradient), state)
            return (theta + update, state), loss

        batches = self.data if self.workload.kind == "mnist" else None
        return jax.lax.scan(step, (self.theta, state), batches, length=self.workload.steps)

    def _meta_loss(self, phi):
        return jnp.sum(self._scan(phi)[1])

    def _step(self, phi, moments, count):
        loss, gradient = self.value_and_grad(phi)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradient)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], gradient)
        a, b = 1 - 0.9**count, 1 - 0.999**count
        phi = jax.tree.map(lambda w, m, v: w - 0.01 * (m / a) / (jnp.sqrt(v / b) + 1e-8), phi, m, v)
        return phi, (m, v), loss

    def meta_step(self):
        self.count += 1
        self.phi, self.moments, loss = jax.block_until_ready(self._compiled_step(self.phi, self.moments, self.count))
        return loss

    def apply(self):
        return jax.block_until_ready(self._compiled_apply(self.phi))

    def flat_gradient(self):
        gradient = self._compiled_gradient(jax.tree.map(jnp.asarray, self.workload.phi))[1]
        leaves = [gradient["layers"][i][name] for i in range(2) for name in ("W", "b")]
        leaves += [gradient["output"]["W"], gradient["output"]["b"]]
        return np.concatenate([np.asarray(leaf).ravel() for leaf in leaves])
