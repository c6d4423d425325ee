"""The paper's experiments, each run from nothing by one command: python -m l2l reproduce NAME

An experiment is a function (settings, runner) -> Outcome. Its numbers are in settings/NAME.json, each with its source.
`Runner` has what the experiments share. To add one, write the function and the file, and register it in EXPERIMENTS.
"""

import platform
from pathlib import Path

from l2l import files
from l2l.errors import L2LError
from l2l.experiments import (
    ablations,
    cifar,
    curves,
    estimators,
    general,
    generalization,
    no_free_lunch,
    proposed_updates,
    second_derivatives,
    settings,
    tasks,
)
from l2l.experiments.runner import Outcome, Runner
from l2l.storage.runs import FILES

EXPERIMENTS = {
    "quadratic": curves.run,
    "mnist": curves.run,
    "generalization": generalization.run,
    "no-free-lunch": no_free_lunch.run,
    "proposed-updates": proposed_updates.run,
    "second-derivatives": second_derivatives.run,
    "cifar": cifar.run,
    "tasks": tasks.run,
    "estimators": estimators.run,
    "general": general.run,
    "ablations": ablations.run,
}


def reproduce(
    name: str, out: str | Path | None = None, quick: bool = False, overwrite: bool = False
) -> tuple[Outcome, Path]:
    """Run the experiment `name` and write its figures, table.md, results.json and trained optimizers to the folder out.

    out: by default results/NAME, or runs/quick/NAME for a quick run, which uses small budgets and takes about a minute.
    An experiment that was interrupted or killed resumes if it is run again in the same folder. The minutes that it
    reports are the sum over all its runs; a killed run counts up to its last saved result.
    Returns the `Outcome` and the folder. Raises L2LError where there is no such experiment, where its results exist
    already and overwrite is False, or where another run is writing to the folder.
    """
    if name not in EXPERIMENTS:
        raise L2LError(f"there is no experiment {name!r}; choose from: {', '.join(EXPERIMENTS)}")
    out = Path(out or (f"runs/quick/{name}" if quick else f"results/{name}"))
    with files.lock(out, [*FILES, "table.md", "results.json"]) as check:
        return _run(name, out, quick, overwrite, check)


def _run(name, out, quick, overwrite, check):
    files.ensure_writable([out / "table.md", out / "results.json"], overwrite)
    runner = Runner(name, out, quick, check)
    try:
        outcome = EXPERIMENTS[name](settings.load(name, quick), runner)
    except KeyboardInterrupt:
        runner.save_seconds()
        raise
    about = {
        "command": runner.command,
        "data": runner.data,
        "minutes": round(runner.seconds() / 60, 1),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    claims = [{"claim": claim, "holds": holds} for claim, holds in outcome.claims]
    document = {**about, "settings": settings.read(name), "quick": quick, "claims": claims, **outcome.results}
    check()
    files.write_json(out / "results.json", document)
    table = _page(name, about, claims, outcome.table)
    files.write(out / "table.md", table.encode())
    runner.clean_up()
    return outcome, out


def _page(name, about, claims, table):
    lines = [f"# {name}", "", f"`{about['command']}`: {about['minutes']} minutes, {about['data']}.", "", table.strip()]
    lines += ["", "| claim | holds |", "|---|---|"]
    lines += [f"| {row['claim']} | {'yes' if row['holds'] else '**no**'} |" for row in claims]
    return "\n".join(lines) + "\n"
