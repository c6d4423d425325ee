"""Every check of the lessons: on wrong answers, which it must refuse, with the words of its verdict, and on right ones.

The answers to the exercises of lesson 2 stand in answers/02.py, in the order of the exercises. A line before each one
tells the number of the exercise, what the verdict begins with, and words that it holds:

    # %% 1 · not quite · it is nan
    # %% 2 · right
"""

import copy
import functools
import re
import symtable
from collections import namedtuple
from pathlib import Path

import nbformat
import pytest

from lessons.tools import build

HEADER = re.compile(r"^# %% (\d) · (right|not yet|not quite)(?: · (.*))?\n", re.MULTILINE)
Answer = namedtuple("Answer", "exercise verdict words code")


@functools.cache
def answers(name):
    _, *found = HEADER.split((Path(__file__).parent / "answers" / f"{name[:2]}.py").read_text())
    cells = [found[i : i + 4] for i in range(0, len(found), 4)]
    return [Answer(int(exercise), verdict, words or "", code) for exercise, verdict, words, code in cells]


def names(code):
    """The names that code assigns as a module, and the global names that it and its functions read."""
    tables, read = [symtable.symtable(code, "cell", "exec")], set()
    assigned = {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    for table in tables:  # and of what is defined in it
        tables += table.get_children()
        read |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return assigned, read


def tried(name):
    """A notebook with the cells of a lesson that its checks need, and each check after each of its answers."""
    notebook, cells, exercise = build.read(build.sources()[name]), [], 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            exercise, stub = exercise + 1, cell.source
        elif "check" in tags:
            for answer in answers(name):
                if answer.exercise == exercise:
                    cells += [nbformat.v4.new_code_cell(f"{stub}\n\n{answer.code}"), copy.deepcopy(cell)]
        elif cell.cell_type == "code":
            cell.metadata["tags"] = ["lesson"]
            cells.append(cell)
    kept, wanted = [], set()
    for cell in reversed(cells):
        assigned, read = names(cell.source)
        if assigned & wanted or "lesson" not in cell.metadata.get("tags", []):
            kept.insert(0, cell)
            wanted = (wanted - assigned) | read
    notebook.cells = kept
    return notebook


@functools.cache
def verdicts(name):
    """What the checks of a lesson say about each of its answers."""
    notebook = tried(name)
    build.run(notebook)
    checks = [cell for cell in notebook.cells if "check" in cell.metadata.get("tags", [])]
    return [cell.outputs[-1].data["text/plain"] for cell in checks]


@pytest.mark.lessons
@pytest.mark.parametrize(("name", "i"), [(name, i) for name in build.sources() for i in range(len(answers(name)))])
def test_answer_gets_its_verdict(name, i):
    answer, found = answers(name)[i], verdicts(name)[i]
    assert found.startswith(f"{answer.verdict}: "), f"{found}\n\n{answer.code}"
    assert answer.words.strip() in found, answer.code
    assert "raised" in answer.words or "raised" not in found, "an exception should have been met with words"


@pytest.mark.lessons
@pytest.mark.parametrize("name", build.sources())
def test_no_verdict_tells_two_equal_numbers_apart(name):
    for found in verdicts(name):
        for pattern in (r"should be (.+?), it is (.+?) ", r"(?:is|by) (\S+), (?:yours|Adam's)[a-z ]* (\S+?)[ .]"):
            assert all(one != other for one, other in re.findall(pattern, found)), found


@pytest.mark.parametrize("name", build.sources())
def test_every_check_has_answers_to_refuse_and_to_accept(name):
    stubs = [cell for cell in build.read(build.sources()[name]).cells if "exercise" in cell.metadata.get("tags", [])]
    assert [answer.exercise for answer in answers(name)] == sorted(answer.exercise for answer in answers(name))
    for exercise in range(1, len(stubs) + 1):
        told = {answer.verdict for answer in answers(name) if answer.exercise == exercise}
        assert {"not quite", "right"} <= told, f"exercise {exercise}"
