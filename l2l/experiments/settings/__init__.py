"""The settings of the experiments, one JSON file for each: every number, with its source."""

import json
from pathlib import Path


def read(name: str) -> dict:
    """The file's content: {group: {key: {"value", "from", perhaps "quick"}}}."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def load(name: str, quick: bool = False) -> dict:
    """The values alone: {group: {key: value}}. quick: the smaller values of a quick run, where there are some."""
    which = "quick" if quick else "value"
    return {
        group: {key: entry.get(which, entry["value"]) for key, entry in entries.items()}
        for group, entries in read(name).items()
    }
