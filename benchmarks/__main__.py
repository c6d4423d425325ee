"""python -m benchmarks [NAME …] [--json FILE]"""

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import platform

NAMES = ("ops", "convnet", "meta_step", "cifar_meta_step", "growth", "workers")
PEERS = ("numpy", "numba", "torch", "jax", "autograd", "mygrad")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Comparisons with other engines.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(NAMES)}; default: all")
    parser.add_argument("--json", metavar="FILE", help="write the numbers to this file, too")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from: {', '.join(NAMES)}")
    document = {"date": datetime.date.today().isoformat(), "machine": _machine(), "versions": _versions()}
    for name in options.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"{name}: {module.__doc__.splitlines()[0]}")
        document[name] = module.main()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(document, file, indent=1)


def _machine():
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _versions():
    versions = {}
    for package in PEERS:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


if __name__ == "__main__":
    main()
