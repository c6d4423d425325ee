"""The experiments: they run, resume, and load an optimizer that another experiment learned by the same recipe."""

import json
import sys
import types

import numpy as np
import pytest

import l2l
from l2l.__main__ import main
from l2l.errors import DivergenceError, L2LError
from l2l.experiments import EXPERIMENTS, ablations, curves, general, reproduce, runner, second_derivatives, settings
from l2l.experiments.runner import Runner
from l2l.meta_training import unrolls
from l2l.suite import SPLITS

TINY = {
    "problem": {"functions": 2, "channels": [2, 2]},
    "optimizer": {"features": ["momentum", "time"]},
    "suite": {"races": {"3": {"splits": ["validation", "test"], "rules": ["adam"]}}, "runs": 1, "processes": 1},
    "learned_on": {"channels": [2, 2], "batch": 4, "examples": 0},
    "lstm": {"hidden": [4]},
    "training": {
        "episodes": 2,
        "steps": 6,
        "horizon": [3, 6],
        "unroll_length": 3,
        "validate_every": 1,
        "validation_tasks": 1,
    },
    "judge": {"splits": ["validation", "test"], "steps": 3, "runs": 1, "processes": 1},
    "base": {"training": {"episodes": 1, "steps": 6, "horizon": [3, 6], "unroll_length": 3, "validation_tasks": 1}},
    "search": {"trials": 2, "training": {"episodes": 1}, "problem": {}},
    "batches": {
        name: {"tasks": tasks, "episodes": 1, "validate_every": 1, "meta_learning_rate": 0.01}
        for name, tasks in (("several", 2),)
    },
    "seeds": {"count": 1, "training": {"episodes": 1}, "search": {}},
    "test": {"runs": 2, "steps": 8, "tuning_runs": 1, "tuning_steps": 4, "baselines": ["sgd", "adam"]},
    "targets": {
        "show_at": [1, 5],
        "most_at": {"5": 1e9},
        "most_at_98": {},
        "ahead_from": 1,
        "ahead_at": 4,
        "learned_at": 8,
        "not_behind_at": {"CIFAR-2": 8},
        "least_wins": {"test, 3 steps": {"adam 0.01": 0.5}},
        "most_log_ratio": {"test, 3 steps": [1e9, 1e9]},
    },
    "paper": {"cases": {"quadratics": ["quadratic", {}, "quadratic"]}, "steps": 6, "show_at": [1, 5]},
    "grid": {"units": [2, 3], "layers": [1], "test": {"steps": 6}},
    "quadratic": {"runs": 1, "steps": 5, "tuning_runs": 1, "tuning_steps": 4},
    "mnist": {"runs": 1, "steps": 5, "tuning_runs": 1, "tuning_steps": 4},
    "rules": {"baselines": ["sgd"]},
    "view": {"steps": [0, 2], "points": 11},
    "draws": {"episodes": {"10": 3, "30": 2}, "forward": 1},
}


@pytest.fixture
def tiny(monkeypatch):
    """Every experiment with budgets of next to nothing."""
    full = settings.load

    def load(name, quick=False):
        groups = full(name, quick)
        for group, values in groups.items():
            if group == "changes":
                values.clear()
                values["fewer units"] = {"optimizer": {"hidden": [2]}}
            values.update({key: value for key, value in TINY.get(group, {}).items() if key in values})
        if name == "cifar":
            groups["problem"]["batch"] = 4
        for kind in groups.get("kinds", {}).values():
            kind["training"] = {"episodes": 2, "steps": 6, "unroll_length": 3, "validate_every": 1}
            kind["test"] |= {"runs": 1, "steps": 4}
            kind["grid"] = {"meta_learning_rate": [0.01], "clip": [1e-9, None]}
        return groups

    monkeypatch.setattr(settings, "load", load)
    every = general.LOSSES.values()
    few = [loss for split in SPLITS for loss in [loss for loss in every if loss.split == split][:2]]
    for module in (general, ablations):
        monkeypatch.setattr(module, "LOSSES", {loss.name: loss for loss in few})


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_leaves_its_figure_table_and_numbers(name, tiny, tmp_path, capsys):
    outcome, _ = reproduce(name, tmp_path / name)
    document = json.loads((tmp_path / name / "results.json").read_text())
    assert document["command"] == f"python -m l2l reproduce {name}"
    assert [row["claim"] for row in document["claims"]] == [claim for claim, _ in outcome.claims]
    assert (tmp_path / name / "figure.png").read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / name / "table.md").read_text()
    assert all(claim in table for claim, _ in outcome.claims)


def test_command_prints_the_table_and_which_claims_hold(tiny, tmp_path, capsys):
    assert main(["reproduce", "quadratic", "--out", str(tmp_path / "quadratic")]) == 0
    printed = capsys.readouterr().out
    assert "| --- |" in printed
    assert "holds: loss at step 5 at most 1000000000.0" in printed
    assert "MISSED: " in printed
    assert f"are in {tmp_path / 'quadratic'}/" in printed


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_number_says_where_it_comes_from(name):
    for group, entries in settings.read(name).items():
        for key, entry in entries.items():
            assert set(entry) <= {"value", "quick", "from"}, (group, key)
            assert len(entry["from"]) > 3, (group, key)


def test_quick_takes_the_small_numbers_and_else_the_full_ones():
    full, quick = settings.load("mnist"), settings.load("mnist", quick=True)
    assert full["training"]["episodes"] > quick["training"]["episodes"]
    assert full["lstm"] == quick["lstm"]


def test_saved_optimizer_says_how_it_was_made(tiny, tmp_path):
    reproduce("quadratic", tmp_path / "quadratic")
    header, _ = l2l.storage.checkpoint.read(tmp_path / "quadratic" / "optimizer.npz")
    notes = header["notes"]
    assert notes["command"] == "python -m l2l reproduce quadratic"
    assert notes["recipe"]["training"]["episodes"] == 2
    assert [episode for episode, _ in notes["meta_curve"]["validation"]] == [0, 1, 2]
    assert [trial["seed"] for trial in notes["trials"]] == [0, 1]
    assert notes["meta_steps"] == 4


def test_trials_may_be_on_another_problem_than_the_training(tiny, tmp_path, monkeypatch):
    running, seen = Runner("quadratic", tmp_path), []
    for name in ("train_with_bar", "train_and_save"):
        train = getattr(runner, name)
        monkeypatch.setattr(runner, name, lambda p, *a, do=train, **k: seen.append(p.functions) or do(p, *a, **k))
    recipe = running.recipe("quadratic")
    recipe["search"]["problem"] = {"functions": 1}
    running.learn(recipe, tmp_path)
    assert seen == [1, 1, 2]


def test_optimizer_of_the_same_recipe_is_taken_and_of_another_is_not(tiny, tmp_path, monkeypatch):
    reproduce("quadratic", tmp_path / "quadratic")
    running = Runner("no-free-lunch", tmp_path / "no-free-lunch")
    saved = l2l.load(tmp_path / "quadratic" / "optimizer.npz")[1]
    taken = running.load_or_learn("quadratic").phi
    np.testing.assert_array_equal(taken["output"]["W"], saved["output"]["W"])
    assert not (tmp_path / "no-free-lunch").exists()
    monkeypatch.setitem(TINY["training"], "episodes", 3)
    running.load_or_learn("quadratic")
    assert (tmp_path / "no-free-lunch" / "quadratic" / "optimizer.npz").exists()


def interrupt_when(monkeypatch, what, episode):
    """The training called `what` is interrupted before its task of that episode is drawn."""
    train, draw = runner.train_and_save, unrolls.draw_task

    def trained(*arguments, **settings):
        def drawn(problem, split, seed, index):
            if settings["what"] == what and (split, index) == ("train", episode):
                raise KeyboardInterrupt
            return draw(problem, split, seed, index)

        with monkeypatch.context() as patch:
            patch.setattr(unrolls, "draw_task", drawn)
            return train(*arguments, **settings)

    monkeypatch.setattr(runner, "train_and_save", trained)


@pytest.mark.parametrize("what", ["quadratic", "1"], ids=["first", "another seed"])
def test_interrupted_experiment_goes_on_where_it_was(tiny, tmp_path, monkeypatch, capsys, what):
    monkeypatch.setitem(TINY["seeds"], "training", {"episodes": 2})
    reproduce("quadratic", tmp_path / "at once" / "quadratic")
    out = tmp_path / "quadratic"
    with monkeypatch.context() as patch:
        interrupt_when(patch, what, 2)
        with pytest.raises(KeyboardInterrupt):
            reproduce("quadratic", out)
    assert "the same command goes on from there" in capsys.readouterr().err
    trained, train = [], runner.train_and_save
    monkeypatch.setattr(runner, "train_and_save", lambda *a, **k: trained.append(k["what"]) or train(*a, **k))
    reproduce("quadratic", out)
    assert trained == (["1"] if what == "quadratic" else [])
    for name in ("optimizer.npz", "seeds/1/optimizer.npz"):
        assert (out / name).read_bytes() == (tmp_path / "at once" / "quadratic" / name).read_bytes()
    assert [*out.rglob("checkpoint.npz"), *out.rglob("log.jsonl")] == []


def test_optimizer_of_an_experiment_that_did_not_end_is_not_taken(tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_when(patch, "quadratic", 2)
        with pytest.raises(KeyboardInterrupt):
            reproduce("quadratic", tmp_path / "quadratic")
    assert (tmp_path / "quadratic" / "optimizer.npz").exists()
    Runner("no-free-lunch", tmp_path / "no-free-lunch").load_or_learn("quadratic")
    assert (tmp_path / "no-free-lunch" / "quadratic" / "optimizer.npz").exists()


def test_minutes_of_an_interrupted_experiment_are_those_of_all_its_parts(tiny, tmp_path, monkeypatch):
    now, out = [0.0], tmp_path / "quadratic"
    clock = types.SimpleNamespace(perf_counter=lambda: now[0])
    for module in ("l2l.experiments", "l2l.experiments.runner"):
        monkeypatch.setattr(sys.modules[module], "time", clock, raising=False)

    def interrupted(*arguments):
        now[0] += 60.0
        raise KeyboardInterrupt

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(curves, "race", interrupted)
            with pytest.raises(KeyboardInterrupt):
                reproduce("quadratic", out)
    reproduce("quadratic", out)
    assert json.loads((out / "results.json").read_text())["minutes"] == 2.0
    assert list(out.glob("elapsed*")) == []


def test_each_meta_gradient_is_told_of_at_its_own_best_settings_with_other_seeds(tiny, tmp_path, monkeypatch):
    calls = []

    def entry(running, kind, given, mode, cell, seed, split):
        calls.append((mode, cell["clip"], seed, split))
        if split == "along":
            return {"cosine": {"0": [1.0]}, "price": dict.fromkeys(second_derivatives.MODES, {"ms": 1, "megabytes": 1})}
        best = (mode == "exact") == (cell["clip"] is None)
        return {"curves": np.array([[1.0 if best else np.nan]]), "clipped": 0.5}

    monkeypatch.setattr(second_derivatives, "_entry", entry)
    outcome, _ = reproduce("second-derivatives", tmp_path)
    assert outcome.results["mnist"]["tuned"]["exact"] == {"meta_learning_rate": 0.01, "clip": None}
    assert {(mode, clip) for mode, clip, _, split in calls if split == "test"} == {
        ("exact", None),
        ("first-order", 1e-9),
    }
    seeds = {split: {seed for _, _, seed, which in calls if which == split} for split in ("validation", "test")}
    assert (len(seeds["validation"]), len(seeds["test"])) == (2, 5)
    assert not seeds["validation"] & seeds["test"]


def small_training(tmp_path, clip, split):
    """An entry of the experiment second-derivatives, on quadratics."""
    given = settings.load("second-derivatives")["kinds"]["quadratic"]
    cell = {"meta_learning_rate": 0.01, "clip": clip}
    running = Runner("second-derivatives", tmp_path)
    return second_derivatives._entry(running, "quadratic", given, "exact", cell, 1, split)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_is_tuned_or_told_of_is_measured_on_tasks_of_that_split(tiny, tmp_path, monkeypatch, split):
    drawn, run = [], second_derivatives.evaluation.run
    monkeypatch.setattr(second_derivatives.evaluation, "run", lambda *a: drawn.append(a[3]) or run(*a))
    small_training(tmp_path, None, split)
    assert drawn == [split]


@pytest.mark.parametrize(("clip", "share"), [(1e-9, 1.0), (None, 0.0)])
def test_share_of_meta_steps_that_were_clipped_is_told(tiny, tmp_path, clip, share):
    assert small_training(tmp_path, clip, "test")["clipped"] == share


def test_settings_with_which_a_training_diverges_are_the_worst(tiny, tmp_path, monkeypatch):
    def diverge(*arguments, **options):
        raise DivergenceError("lost")

    monkeypatch.setattr(Runner, "train", diverge)
    assert second_derivatives._loss(small_training(tmp_path, None, "validation"), {"test": {"divide_by": 1}}) == np.inf


def test_results_are_not_replaced_unasked(tiny, tmp_path):
    (tmp_path / "table.md").write_text("mine")
    with pytest.raises(L2LError, match="already there"):
        reproduce("quadratic", tmp_path)
    assert (tmp_path / "table.md").read_text() == "mine"


def test_unknown_experiment_names_those_there_are():
    with pytest.raises(L2LError, match="no experiment 'imagenet'.*quadratic"):
        reproduce("imagenet")


def test_race_is_cached_until_the_experiment_ends(tmp_path):
    running, computed = Runner("cifar", tmp_path), []

    def entry():
        computed.append(1)
        return {"learning_rate": 0.5, "grid_edge": False, "curves": np.arange(6.0).reshape(2, 3)}

    first, again = running.cache("ten, adam", {"seed": 0}, entry), running.cache("ten, adam", {"seed": 0}, entry)
    np.testing.assert_array_equal(first["curves"], again["curves"])
    assert (again["learning_rate"], again["grid_edge"], len(computed)) == (0.5, False, 1)
    running.cache("ten, adam", {"seed": 1}, entry)
    assert len(computed) == 2
    running.clean_up()
    assert list(tmp_path.rglob("*.npz")) == []


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b""], ids=["truncated", "empty"])
def test_race_whose_file_is_damaged_is_run_again(tmp_path, damage):
    running, computed = Runner("cifar", tmp_path), []

    def entry():
        computed.append(1)
        return {"learning_rate": 0.5, "grid_edge": False, "curves": np.arange(6.0).reshape(2, 3)}

    running.cache("ten, adam", {"seed": 0}, entry)
    path = tmp_path / "races" / "ten, adam.npz"
    path.write_bytes(damage(path.read_bytes()))
    running.cache("ten, adam", {"seed": 0}, entry)
    running.cache("ten, adam", {"seed": 0}, entry)
    assert len(computed) == 2


def test_standard_error_of_an_experiment_is_that_of_a_comparison(tiny, tmp_path, monkeypatch):
    race, raced = curves.race, []
    monkeypatch.setattr(curves, "race", lambda *arguments: raced.append(race(*arguments)) or raced[-1])
    outcome, _ = reproduce("quadratic", tmp_path / "quadratic")
    first, second = raced[0]["curves"] / settings.load("quadratic")["test"]["divide_by"]
    assert outcome.results["optimizers"]["lstm"]["loss_sem"] == pytest.approx(np.abs(first - second) / 2.0, rel=1e-4)
