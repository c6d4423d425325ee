"""Episodes of meta-training on eight tasks: in this process, by one worker, by two; and the bytes that are sent.

A worker runs its kernels on one thread, this process on all cores.
"""

import pickle
from dataclasses import replace

import numpy as np

import l2l
from benchmarks import harness
from l2l import workers
from l2l.meta_training.loop import meta_train, run_episode
from l2l.meta_training.state import Settings, Trajectory
from l2l.meta_training.unrolls import Unroll
from l2l.optimizers import LSTM

SETTINGS = {"tasks": 8, "steps": 40, "episodes": 1, "validate_every": 2, "validation_tasks": 1}
CASES = {
    "mnist": ("mnist", {}),
    "quadratic": ("quadratic", {"functions": 100}),
    "mixture of small problems": ("mixture", {}),
}


def main():
    with workers.processes(1) as one, workers.processes(2) as two:
        executors = {"one worker": one, "two workers": two, "this process": None}
        return {
            case: _case(case, l2l.make_problem(name, **options), executors) for case, (name, options) in CASES.items()
        }


def _case(case, problem, executors):
    rule, settings = LSTM(), Settings(**SETTINGS)
    training = meta_train(problem, rule, **SETTINGS)
    start = replace(training, history=[], trajectories=(None,) * settings.tasks, drawn=0)
    unroll = Unroll(problem, rule, settings)
    each = {who: workers.spread(unroll, executor) for who, executor in executors.items()}
    seconds = harness.alternate(
        {
            who: lambda unroll_each=unroll_each: run_episode(start, 0.001, unroll_each)
            for who, unroll_each in each.items()
        }
    )
    _, _, way = unroll(start.latest, Trajectory(number=1, steps=40))
    sent = len(pickle.dumps((pickle.dumps(unroll), (start.latest, way))))
    print(f"{case}: {len(way.reached[0]):,} coordinates, {sent:,} bytes to a worker for each task, about as many back")
    rows = harness.report(seconds, ours="two workers")
    gain = np.divide(seconds["one worker"], seconds["two workers"])
    print(f"  one worker / two workers: {np.median(gain):.2f}, {gain.min():.2f} to {gain.max():.2f}")
    return {"bytes": sent, "seconds": rows, "gain": gain.tolist()}
