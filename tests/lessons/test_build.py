"""The builder: what it makes of a source, and that its runs are closed off and repeatable."""

import re

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from lessons.tools import build, pages

SOURCE = """# %% [markdown]
# # 1 · A planted lesson?
#
# $$ y = \\frac{x}{2} \\tag{1.1} $$

# %%
import numpy as np

x = 1234.5
table = {"a": [0.25, 1e-7]}

# %% [markdown]
# Then x is {{x:,.0f}}, and a is {{table["a"][0]:.0%}} or {{sci(table['a'][1], 1)}};
# see {{lesson(2)}} and $\\frac{a}{b}$.

# %% tags=["exercise"]
answer = ...

# %% tags=["check"]
print(answer)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# answer = 42
# ```
#
# </details>
"""


@pytest.fixture
def planted(tmp_path):
    path = tmp_path / "01_planted.py"
    path.write_text(SOURCE)
    return path


def printing(code):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])


def test_reading_is_repeatable_and_carries_the_stamp_of_the_source(planted):
    first, second = build.read(planted), build.read(planted)
    assert build.as_text(first) == build.as_text(second)
    assert first.metadata.l2l.source_sha256 == build.digest(planted)
    assert len({cell.id for cell in first.cells}) == len(first.cells)
    planted.write_text(SOURCE.replace("42", "43"))
    assert [a.id == b.id for a, b in zip(first.cells, build.read(planted).cells, strict=True)] == [True] * 5 + [False]
    assert first.metadata.l2l.source_sha256 != build.digest(planted)


def test_solution_takes_the_place_of_the_stub(planted):
    notebook = build.read(planted)
    solved = build.with_solutions(notebook)
    assert solved.cells[3].source == "answer = 42"
    assert notebook.cells[3].source == "answer = ..."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# ```python\n", "# ```\n", "holds one"),
        (' tags=["solution"]', "", "has no solution"),
        (' tags=["exercise"]', "", "follows its exercise"),
        ('\n# %% tags=["check"]', '\n# %% tags=["exercise"]', "has no solution"),
    ],
)
def test_exercise_without_its_solution_is_an_error(planted, old, new, message):
    planted.write_text(SOURCE.replace(old, new))
    with pytest.raises(ValueError, match=message):
        build.with_solutions(build.read(planted))


def test_notebook_is_stale_until_built_from_this_source(planted, monkeypatch, capsys):
    folder = planted.parent
    (folder / "source").mkdir()
    source = planted.rename(folder / "source" / planted.name)
    monkeypatch.setattr(build, "FOLDER", folder)
    assert build.stale() == ["01_planted"]
    assert build.main(["--check"]) == 1
    assert "older than its source: python lessons/tools/build.py 01" in capsys.readouterr().out
    (folder / "01_planted.ipynb").write_text(build.as_text(build.read(source)))
    assert build.stale() == []
    assert build.main(["--check"]) == 0
    source.write_text(SOURCE.replace("42", "43"))
    assert build.stale() == ["01_planted"]


def test_pages_read_without_a_network(planted, tmp_path):
    folder, out = build.FOLDER, tmp_path / "site"
    pages.write(out, folder, build.ROOT)
    found = list(out.rglob("*.html"))
    assert {f"{name}.html" for name in build.sources()} <= {path.name for path in found}
    for path in found:
        page = path.read_text()
        assert not re.search(r"""(src=|<link [^>]*href=)["']https?:""", page)
        assert all("alt=" in image for image in re.findall(r"<img [^>]*>", page))
        for target in re.findall(r'<a href="([^"#]+)"', page):
            assert target.startswith("http") or (path.parent / target).exists(), target
    first = (out / "01_trust_a_gradient.html").read_text()
    assert "<math" in first
    assert "\\frac" not in first
    assert "<span>(1.1)</span>" in first
    place = re.search(r'href="(source/minigrad/testing.py.html)#(L\d+)"', first)
    assert f'id="{place[2]}"' in (out / place[1]).read_text()


def test_pages_refuse_an_image_from_outside_the_project(tmp_path):
    folder = tmp_path / "project" / "lessons"
    folder.mkdir(parents=True)
    (tmp_path / "private.png").write_bytes(b"private")
    (folder / "README.md").write_text("![a picture](../../private.png)")
    with pytest.raises(ValueError, match="outside of the project"):
        pages.write(tmp_path / "site", folder, tmp_path / "project")
    assert not (tmp_path / "site" / "private.png").exists()


# ------------------------------------------------------------------------------------------ with a kernel


@pytest.mark.lessons
def test_run_fills_in_the_numbers_and_leaves_no_trace(planted):
    twice = [build.read(planted) for _ in range(2)]
    for notebook in twice:
        assert build.run(notebook) > 0
    assert twice[0].cells[2].source == (
        "Then x is 1,234, and a is 25% or 10⁻⁷;\nsee [2 · How big a step is too big?](02_one_bowl.ipynb) "
        "and $\\frac{a}{b}$."
    )
    assert [cell.execution_count for cell in twice[0].cells if cell.cell_type == "code"] == [1, 2, 3]
    assert build.as_text(twice[0]) == build.as_text(twice[1])


@pytest.mark.lessons
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)",
        "import urllib.request; urllib.request.urlopen('http://example.com')",
        "import requests; requests.get('https://example.com')",
    ],
)
def test_lesson_that_asks_for_the_network_fails(code):
    with pytest.raises(CellExecutionError, match="a lesson must run without a network"):
        build.run(printing(code))


@pytest.mark.lessons
def test_digits_are_the_ones_that_everybody_has(monkeypatch):
    notebook = printing("from course import ROOT\nfrom l2l.problems import data\nprint(data.mnist().source)")
    build.run(notebook)
    assert "5,000" in notebook.cells[0].outputs[0].text


@pytest.mark.lessons
def test_processor_time_is_counted_and_an_error_is_not_hidden():
    busy = "import time\nend = time.process_time() + 1.0\nwhile time.process_time() < end: pass"
    assert build.run(printing(busy)) > 0.9
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        build.run(printing("1 / 0"))
