"""How everything here is timed: all candidates in one process, one after the other, round by round.

The machine may be noisy and drift; a drift then meets all candidates alike, and only ratios of medians are quoted.
"""

import gc
import re
import statistics
import time
from pathlib import Path

REST = 0.1  # seconds between two runs: the worker threads of the one before stop spinning and give the cores back


def available(builders):
    """Build the candidates {name: zero-argument builder}. Those whose package is missing are left out, with a word."""
    built = {}
    for name, build in builders.items():
        try:
            built[name] = build()
        except ImportError as error:
            print(f"  {name}: skipped, {error.name} is not installed")
    return built


def alternate(candidates, rounds=11, warmup=2, scale=1.0):
    """Seconds (times `scale`) that each of the callables {name: f} takes: {name: [one number a round]}."""
    seconds = {name: [] for name in candidates}
    for i in range(warmup + rounds):
        for name, f in candidates.items():
            gc.collect()
            time.sleep(REST)
            start = time.perf_counter()
            f()
            elapsed = time.perf_counter() - start
            if i >= warmup:
                seconds[name].append(elapsed * scale)
    return seconds


def peak_megabytes():
    """The most memory this process has had (Linux). resource.getrusage would count its parent's before exec, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def report(seconds, ours="minigrad", unit="ms"):
    """Print a row per candidate: the median, the spread, and its ratio to ours, round by round. Returns the numbers."""
    factor = {"ms": 1e3, "µs": 1e6}[unit]
    rows = {}
    print(f"  {'':24} {f'median, {unit}':>12} {'min':>9} {'max':>9} {'times ours':>12}")
    for name, values in seconds.items():
        ratio = statistics.median(v / o for v, o in zip(values, seconds[ours], strict=True))
        rows[name] = {
            "median": statistics.median(values) * factor,
            "min": min(values) * factor,
            "max": max(values) * factor,
            "unit": unit,
            "times_ours": ratio,
        }
        row = rows[name]
        print(f"  {name:24} {row['median']:12.3f} {row['min']:9.3f} {row['max']:9.3f} {ratio:12.2f}")
    return rows
