"""The paper's experiments, each run from nothing by one command: python -m l2l reproduce NAME

An experiment is a function (settings, runner) -> Outcome. Its numbers stand in settings/NAME.json, each with where it
comes from; `Runner` holds what the experiments share. To add one, write the function and the file, and name it here.
"""

import platform
from pathlib import Path

from l2l import files
from l2l.errors import L2LError
from l2l.experiments import cifar, curves, generalization, no_free_lunch, proposed_updates, second_derivatives, settings
from l2l.experiments.runner import Runner
from l2l.storage.runs import FILES

EXPERIMENTS = {
    "quadratic": curves.run,
    "mnist": curves.run,
    "generalization": generalization.run,
    "no-free-lunch": no_free_lunch.run,
    "proposed-updates": proposed_updates.run,
    "second-derivatives": second_derivatives.run,
    "cifar": cifar.run,
}


def reproduce(name, out=None, quick=False, overwrite=False):
    """Run the experiment `name`. Its figures, table.md, results.json and trained optimizers land in out.

    out: results/NAME, or runs/quick/NAME for a quick run, which shrinks every budget so that it ends within a minute.
    An experiment that was interrupted or killed goes on where it was, if it is run again in the same place.
    Its minutes are those of all its parts; of one that was killed, up to the last thing that it has kept.
    Returns the `Outcome` and that folder. Raises L2LError where there is no such experiment, or where its results are
    there already, or where another run writes there.
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
        runner.keep_time()
        raise
    about = {
        "command": f"python -m l2l reproduce {name}{' --quick' if quick else ''}",
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
    runner.end()
    return outcome, out


def _page(name, about, claims, table):
    lines = [f"# {name}", "", f"`{about['command']}`: {about['minutes']} minutes, {about['data']}.", "", table.strip()]
    lines += ["", "| claim | holds |", "|---|---|"]
    lines += [f"| {row['claim']} | {'yes' if row['holds'] else '**no**'} |" for row in claims]
    return "\n".join(lines) + "\n"
