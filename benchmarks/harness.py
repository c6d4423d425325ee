"""How the benchmarks measure time: all candidates in one process, in turns, for several rounds.

If the machine becomes slower meanwhile, that affects all candidates alike. Quote ratios of medians only.
"""

import gc
import re
import statistics
import time
from pathlib import Path

REST = 0.1  # seconds between two runs, in which the last one's worker threads stop spinning and free the cores


def available(builders):
    """Build the candidates {name: builder without arguments}. It skips those whose package is missing."""
    built = {}
    for name, build in builders.items():
        try:
            built[name] = build()
        except ImportError as error:
            print(f"  {name}: skipped, {error.name} is not installed")
    return built


def alternate(candidates, rounds=11, warmup=2, scale=1.0):
    """Seconds (times `scale`) that each of the callables {name: f} takes: {name: [one number per round]}."""
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
    """This process's peak memory (Linux only). resource.getrusage would include its parent's before exec."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def report(seconds, ours="minigrad", unit="ms"):
    """Print a row per candidate: median, range, and the median over rounds of its ratio to ours. Returns the rows."""
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
