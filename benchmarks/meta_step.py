"""One step of meta-training (20 optimizee steps, backward pass, Adam on φ), compared with PyTorch and JAX.

Also measured: applying a learned optimizer, and peak memory, for each program in its own process. Before anything is
timed, all meta-gradients must agree to 1e-4.
"""

import subprocess
import sys
import time

import numpy as np

from benchmarks import harness, meta_problems
from l2l.optimizers import Adam
from l2l.unrolling import unroll
from minigrad import threads, tree, value_and_grad

WORKLOADS = {
    "MNIST, 15,910 coordinates": meta_problems.mnist,
    "quadratic, 128 of 10 dimensions": lambda: meta_problems.quadratic(128),
    "quadratic, one of 10 dimensions": lambda: meta_problems.quadratic(1),
}


class Ours:
    def __init__(self, workload):
        self.workload, self.optimizer = workload, workload.optimizer
        self.phi, self.adam = workload.phi, Adam(0.01)
        self.adam_phi, self.adam_state = self.adam.init(), self.adam.init_state(tree.ravel(self.phi)[0])

    def _unroll(self, phi):
        task = meta_problems.task(self.workload)
        state = self.optimizer.init_state(task.theta)
        return unroll(self.optimizer, phi, task, task.theta, state, [1.0] * self.workload.steps)

    @threads.for_kernels()
    def meta_step(self):
        loss, gradient = value_and_grad(lambda phi: self._unroll(phi)[0])(self.phi)
        flat, unravel = tree.ravel(self.phi)
        update, self.adam_state = self.adam(self.adam_phi, tree.ravel(gradient)[0], self.adam_state)
        self.phi = unravel(flat + update)
        return loss

    @threads.for_kernels()
    def apply(self):
        return self._unroll(self.phi)[1]

    @threads.for_kernels()
    def flat_gradient(self):
        return tree.ravel(value_and_grad(lambda phi: self._unroll(phi)[0])(self.workload.phi)[1])[0]


def _torch(workload):
    from benchmarks.meta_torch import Unroll

    return Unroll(workload)


def _torch_compiled(workload):
    from benchmarks.meta_torch import Unroll

    return Unroll(workload, compiled=True)


def _jax(workload):
    from benchmarks.meta_jax import Unroll

    return Unroll(workload)


PROGRAMS = {"minigrad": Ours, "PyTorch eager": _torch, "torch.compile": _torch_compiled, "JAX jit": _jax}


def check_agreement(programs):
    """Stop unless every program's meta-gradient equals ours to 1e-4 of its norm."""
    ours = programs["minigrad"].flat_gradient()
    for name, program in programs.items():
        error = np.linalg.norm(program.flat_gradient() - ours) / np.linalg.norm(ours)
        if not error < 1e-4:
            raise SystemExit(f"{name}: its meta-gradient differs from ours by {error:.1e} of the norm")


def sgemm_rate(rounds=9):
    """Floating-point operations per second of float32 matrix products of 1,000 × 1,000, in this run."""
    a, b = np.random.default_rng(0).normal(size=(2, 1000, 1000)).astype(np.float32)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2e9 / np.median(seconds)


def operations(workload):
    """Floating-point operations of the matrix products in one meta-step: forward, and twice that backward."""
    h = workload.optimizer.hidden[0]
    inputs = 2 if workload.preprocess else 1
    per_coordinate = 2 * 4 * h * (inputs + h + h + h) + 2 * h
    return 3 * per_coordinate * workload.theta.size * workload.steps


def peak_memory(name):
    """Peak resident memory in MB of a process that takes three MNIST meta-steps with one of the programs."""
    command = [sys.executable, "-m", "benchmarks.meta_step", name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def main():
    results = {}
    for title, make in WORKLOADS.items():
        workload = make()
        programs = harness.available({name: lambda b=build, w=workload: b(w) for name, build in PROGRAMS.items()})
        check_agreement(programs)
        print(f" meta-step: {title}")
        times = 1 if workload.kind == "mnist" else 10  # a single short one would measure how fast threads wake up
        in_a_row = {name: lambda p=p, n=times: [p.meta_step() for _ in range(n)] for name, p in programs.items()}
        seconds = harness.alternate(in_a_row, scale=1 / times)
        results[f"meta-step, {title}"] = harness.report(seconds)
        if workload.kind == "mnist":
            limit = operations(workload) / sgemm_rate()
            times_limit = float(np.median(seconds["minigrad"]) / limit)
            print(f"  ours takes {times_limit:.2f} × the time of {operations(workload) / 1e9:.1f} GFLOP of sgemm")
            results["times the sgemm limit"] = times_limit
            print(f" applying the learned optimizer, one step: {title}")
            seconds = harness.alternate({name: p.apply for name, p in programs.items()}, scale=1 / workload.steps)
            results[f"apply, {title}"] = harness.report(seconds)
            memory = {name: peak_memory(name) for name in programs}
            print(f"  peak memory, MB: {', '.join(f'{name} {mb:.0f}' for name, mb in memory.items())}")
            results["peak memory, MB"] = memory
    return results


if __name__ == "__main__":
    program = PROGRAMS[sys.argv[1]](meta_problems.mnist())
    for _ in range(3):
        program.meta_step()
    print(harness.peak_megabytes())
