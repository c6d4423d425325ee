"""How a meta-step scales: time and peak memory against coordinates, unroll length and hidden units.

Every point is measured in its own process, because peak memory is the process's. Writes results/growth.png and .json.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import harness

RESULTS = Path(__file__).parents[1] / "results"

# name: (values, fixed settings). The unroll is short where coordinates vary, so that a million fit a laptop's memory.
SWEEPS = {
    "coordinates": ([10**2, 10**3, 10**4, 10**5, 10**6], {"unroll": 5, "hidden": 20}),
    "unroll": ([5, 10, 20, 50, 100, 200], {"coordinates": 10**4, "hidden": 20}),
    "hidden": ([5, 10, 20, 40, 80], {"coordinates": 10**4, "unroll": 20}),
}


def measure(coordinates, unroll, hidden):
    """Seconds of one meta-step (the median of several) and the peak memory of this process in MB."""
    import l2l
    import minigrad as mg
    from l2l.problems import Task
    from minigrad import threads

    optimizer = l2l.make_optimizer("lstm", hidden=(hidden, hidden))
    phi = optimizer.init(np.random.default_rng(0))
    theta = np.random.default_rng(1).normal(size=coordinates).astype(np.float32)
    task = Task(theta, lambda theta, batch: mg.sum(mg.square(theta)))

    def meta_loss(phi):
        return l2l.unroll(optimizer, phi, task, theta, optimizer.init_state(theta), [1.0] * unroll)[0]

    seconds = []
    begin = time.perf_counter()
    with threads.for_kernels():
        while len(seconds) < 3 or (time.perf_counter() - begin < 2.0 and len(seconds) < 30):
            start = time.perf_counter()
            mg.value_and_grad(meta_loss)(phi)
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:])), harness.peak_megabytes()


def main():
    results = {}
    for name, (values, fixed) in SWEEPS.items():
        results[name] = []
        for value in values:
            arguments = json.dumps({name: value, **fixed})
            command = [sys.executable, "-m", "benchmarks.growth", arguments]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            seconds, megabytes = json.loads(output.splitlines()[-1])
            results[name].append({name: value, **fixed, "seconds": seconds, "peak_mb": megabytes})
            print(f"  {name} {value:>9,}: {seconds * 1e3:10.2f} ms {megabytes:8.0f} MB")
    _draw(results)
    (RESULTS / "growth.json").write_text(json.dumps(results, indent=1))
    return results


def _draw(results):
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(10, 5.5), dpi=130, layout="constrained")
    panels = figure.subplots(2, 3, sharey="row", squeeze=False)
    labels = {"coordinates": "coordinates", "unroll": "steps of the unroll", "hidden": "hidden units per layer"}
    for column, (name, rows) in enumerate(results.items()):
        x = [row[name] for row in rows]
        for axes, key in zip(panels[:, column], ("seconds", "peak_mb"), strict=True):
            axes.loglog(x, [row[key] for row in rows], "o-", color="#0072B2")
            axes.grid(True, which="both", alpha=0.25)
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.set_xticks([], minor=True)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if key == "seconds" else (1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
            axes.set_xlabel(labels[name])
        power = np.polyfit(np.log(x[-3:]), np.log([row["seconds"] for row in rows[-3:]]), 1)[0]
        panels[0, column].set_title(f"last three points: power {power:.2f}", fontsize=9)
    panels[0, 0].set_ylabel("seconds per meta-step")
    panels[1, 0].set_ylabel("peak memory of the process, MB")
    figure.suptitle("A meta-step costs time and memory in proportion to coordinates and to steps")
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "growth.png")


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
