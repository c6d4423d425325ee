"""The settings of the experiments: a JSON file each, that lists every number and where it comes from."""

import json
from pathlib import Path


def read(name):
    """The file as it is: {group: {key: {"value", "from", perhaps "quick"}}}."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def load(name, quick=False):
    """The values alone: {group: {key: value}}, where quick takes the small ones that a quick run has."""
    which = "quick" if quick else "value"
    return {
        group: {key: entry.get(which, entry["value"]) for key, entry in entries.items()}
        for group, entries in read(name).items()
    }
