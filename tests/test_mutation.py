"""Mistakes planted in the source: see mutation.py."""

import pytest

mutation = pytest.importorskip("tests.mutation", reason="needs Unix, which limits a process's time")


def test_the_tests_that_should_notice_exist():
    # A name that is none would end pytest with an error, which counts as noticed.
    assert [name for names in mutation.TESTS.values() for name in names if not (mutation.ROOT / name).exists()] == []


@pytest.mark.parametrize(("count", "survive"), [(3, 1), pytest.param(10, 2, marks=pytest.mark.slow)])
def test_mistakes_in_the_source_are_noticed(count, survive):
    # A change of the source may bring in others; among all mistakes are a few that no test can notice.
    results = [(mutant, outcome) for mutant, outcome, _ in mutation.run(mutation.sample(count, seed=1))]
    survivors = [mutant[:4] for mutant, outcome in results if outcome == "survived"]
    print(f"mistakes planted: {len(results)}, noticed: {len(results) - len(survivors)}")
    assert len(survivors) <= survive, survivors


def test_a_mistake_that_changes_nothing_is_said_to_survive(tmp_path):
    mutation.copy_of_the_tree(tmp_path)
    assert mutation.run_tests(tmp_path, ["tests/minigrad/test_layers.py"]) == ("survived", "")


@pytest.mark.slow
def test_nineteen_mistakes_of_twenty_are_noticed():
    assert mutation.main() <= 0.05
