"""The form of every lesson, read from its committed notebook; and, marked `lessons`, two runs of each."""

import json
import re
import time

import nbformat
import numpy as np
import pytest

from lessons.course import LESSONS
from lessons.tools import build
from minigrad import threads

NAMES = list(build.sources())
IMAGE = re.compile(r"<img [^>]*>")
HEADINGS = ["Your prediction", "Exercise: ", "Summary", "References", "Next"]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return nbformat.read(build.FOLDER / f"{name}.ipynb", as_version=4)


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def prose(markdown):
    """Markdown without code, formulas, links' targets and HTML tags."""
    for pattern in (r"```.*?```", r"\$\$.*?\$\$", r"(?<!\\)\$.+?\$", r"`[^`]*`", r"(?<=\])\([^)]*\)", r"<[^>]+>"):
        markdown = re.sub(pattern, " ", markdown, flags=re.DOTALL)
    return markdown


def section(notebook, heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text(notebook), re.DOTALL | re.MULTILINE)[1]


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def verdicts(notebook):
    return [cell.outputs[-1].data["text/plain"].split(":")[0] for cell in tagged(notebook, "check")]


def numbers(markdown):
    """The numbers in prose, each with the unit of its last digit."""
    markdown = re.sub(r"(?<=\d),(?=\d{3})", "", markdown)
    found = []
    for sign, whole, part, power in re.findall(r"([-−]?)(?<!\w)(\d+)(\.\d+)?(?:·?10([⁻⁰¹²³⁴-⁹]+))?", markdown):
        exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) if power else 0
        value = float(whole + part) * 10.0**exponent * (-1 if sign else 1)
        found.append((value, 10.0 ** (exponent - max(0, len(part) - 1))))
    return found


# ------------------------------------------------------------------------------------------ as it is committed


def test_notebook_was_built_from_its_source(name):
    assert name not in build.stale(), f"run: python lessons/tools/build.py {name[:2]}"


def test_name_and_title_are_those_of_the_map(name, notebook):
    number, question = next((i, row[1]) for i, row in enumerate(LESSONS, 1) if row[0] == name)
    assert notebook.cells[0].source.split("\n")[0] == f"# {number} · {question}"


def test_size(name, notebook):
    assert (build.FOLDER / f"{name}.ipynb").stat().st_size <= 500_000
    assert 25 <= len(notebook.cells) <= 40
    assert 1200 <= len(re.findall(r"\w[\w'’-]*", prose(text(notebook)))) <= 2000


def test_sections_stand_in_order(notebook):
    found = re.findall(r"^## (.*)", text(notebook), re.MULTILINE)
    places = [next((i for i, heading in enumerate(found) if heading.startswith(wanted)), None) for wanted in HEADINGS]
    assert None not in places, f"wanted {HEADINGS}, found {found}"
    assert places == sorted(places)
    assert found[-3:] == HEADINGS[-3:]
    assert len(re.findall(r"^# ", prose(text(notebook)), re.MULTILINE)) == 1


def test_prediction_comes_before_its_outcome(notebook):
    (cell,) = tagged(notebook, "prediction")
    assert re.search(r"^\w+ = \.\.\.", cell.source, re.MULTILINE)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert code.index(cell.source) < code.index("recall(")


def test_summary_is_three_sentences_and_references_and_a_next_question_follow(name, notebook):
    assert len(re.findall(r"^(?:\d\.|-) ", section(notebook, "Summary"), re.MULTILINE)) == 3
    assert re.search(r"^- ", section(notebook, "References"), re.MULTILINE)
    following = [f"{row[0]}.ipynb" for row in LESSONS if row[0] > name]
    assert f"({[*following, 'README.md'][0]})" in section(notebook, "Next")  # the last leads back to the map


def test_exercises_have_the_stub_the_check_the_hint_and_the_solution(notebook):
    kinds = []
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", [])) & {"exercise", "check", "solution"}
        kinds.append(tags.pop() if tags else "hint" if "<summary>Hint</summary>" in cell.source else "")
    assert "exercise" in kinds
    for i, kind in enumerate(kinds):
        if kind == "exercise":
            assert kinds[i : i + 4] == ["exercise", "check", "hint", "solution"]
            assert "..." in notebook.cells[i].source
            assert notebook.cells[i + 1].source.count("check(") == 1
            assert "\n\n```python\n" in notebook.cells[i + 3].source
    assert kinds.count("exercise") == kinds.count("check") == kinds.count("hint") == kinds.count("solution")
    for cell in notebook.cells:
        assert cell.source.count("<details>") == cell.source.count("</details>") == cell.source.count("<summary>")


def test_stored_outputs_are_those_of_the_stubs_without_warnings(notebook):
    assert set(verdicts(notebook)) == {"not yet"}
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert "{{" not in text(notebook)


def test_figures_have_words_and_the_page_needs_no_network(notebook):
    pictures = 0
    for output in outputs(notebook):
        if "image/png" in output.get("data", {}):
            alt = output.metadata["image/png"]["alt"]
            assert len(alt) >= 60, f"say what is to be seen, and how large: {alt}"
            assert alt.endswith(".")
            pictures += 1
        page = output.get("data", {}).get("text/html", "")
        assert all("alt=" in image for image in IMAGE.findall(page)), "show(figure, alt) gives a figure its words"
        assert not re.search(r"""(src|href)=["']https?:""", page)
    assert pictures >= 1
    assert all("alt=" in image for image in IMAGE.findall(text(notebook)))
    assert not re.search(r"!\[\s*\]", text(notebook))


def test_numbers_in_the_text_are_computed(name):
    source = build.PLACEHOLDER.sub("", text(build.read(build.sources()[name])))
    written = prose(re.sub(r"^## References.*?(?=^## |\Z)", "", source, flags=re.DOTALL | re.MULTILINE))
    typed = re.findall(r"\d+\.\d+|\d+ ?%|\d+e[-+]?\d+|10[⁻⁰¹²³⁴-⁹]+", written)
    assert not typed, f"results go in as {{{{expression:format}}}}, settings in `code`: {typed}"


def test_links_lead_somewhere(notebook):
    coming = {f"{row[0]}.ipynb" for row in LESSONS}
    shown = "\n".join(output.data.get("text/markdown", "") for output in outputs(notebook) if "data" in output)
    written = re.sub(r"```.*?```", "", text(notebook) + shown, flags=re.DOTALL)  # in code, f[x](y) is a call
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", written):
        assert target.startswith("https://") or target in coming or (build.FOLDER / target).exists(), target


def test_shown_source_is_in_the_file_that_it_names_at_the_line_that_it_names(name, notebook):
    for output in outputs(notebook):
        match = re.match(
            r"\[(.*), line (\d+)\].*?```python\n(.*)\n```", output.get("data", {}).get("text/markdown", ""), re.S
        )
        if match:
            file, line = match[1].replace("\\", ""), int(match[2])
            lines = [line.strip() for line in (build.ROOT / file).read_text().splitlines()]
            shown = [line.strip() for line in match[3].splitlines()]
            there = lines[line - 1 : line - 1 + len(shown)]
            assert there == shown, f"{file} has changed: python lessons/tools/build.py {name[:2]}"


def test_numbered_equations_lead_to_their_implementation_and_their_test(name, notebook):
    number = int(name[:2])
    tags = []
    for cell in notebook.cells:
        found = re.findall(r"\\tag\{(.*?)\}", cell.source) if cell.cell_type == "markdown" else []
        tags += found
        if found:
            assert re.search(r"\]\(\.\./(minigrad|l2l)/[\w/]+\.py", cell.source), f"{found}: link the implementation"
            assert re.search(r"\]\(\.\./tests/[\w/]+\.py", cell.source), f"{found}: link the test"
    assert tags == [f"{number}.{i}" for i in range(1, len(tags) + 1)]


def test_formulas_are_what_github_and_the_pages_can_show(notebook):
    assert "\\begin{align" not in text(notebook)
    assert text(notebook).count("$$") % 2 == 0
    written = re.sub(r"```.*?```|`[^`]*`", "", text(notebook), flags=re.DOTALL)
    following = re.findall(r"\$\$.*?\$\$|\$[^$]+\$(.?)", written, flags=re.DOTALL)
    assert not any(map(str.isdigit, following)), "a formula does not end where its last $ is followed by a digit"


# ------------------------------------------------------------------------------------------ run


YARDSTICK = 0.3  # seconds of processor time that the yardstick takes where a lesson has 60


def yardstick():
    """Seconds of processor time for Python and NumPy at work as in lessons: a busy or throttled processor takes twice
    as many as an idle one, for a lesson and for this."""
    begin = time.process_time()
    with threads.for_kernels():
        for _ in range(20):
            sum(i * i for i in range(100_000))
            np.tanh(np.ones(500_000)).sum()
            np.ones((300, 300)) @ np.ones((300, 300))
    return time.process_time() - begin


@pytest.mark.lessons
def test_run_with_the_stubs_agrees_with_the_text_that_is_committed(name, notebook):
    fresh, at_first = build.read(build.sources()[name]), yardstick()
    seconds = build.run(fresh)
    slowness = (at_first + yardstick()) / 2 / YARDSTICK
    assert set(verdicts(fresh)) == {"not yet"}
    assert seconds <= 60 * slowness, f"{seconds:.0f} s of processor time, on a processor {slowness:.1f} times as slow"
    before, after = numbers(text(notebook)), numbers(text(fresh))
    assert len(before) == len(after)
    for (value, unit), (found, _) in zip(before, after, strict=True):
        assert abs(value - found) <= max(0.1 * abs(value), 1.001 * unit), f"the text says {value}, a run gives {found}"


@pytest.mark.lessons
def test_run_with_the_solutions_is_right(name):
    solved = build.with_solutions(build.read(build.sources()[name]))
    build.run(solved)
    assert set(verdicts(solved)) == {"right"}, [cell.outputs[-1].data["text/plain"] for cell in tagged(solved, "check")]


# ------------------------------------------------------------------------------------------ around them


def test_map_is_up_to_date():
    readme = (build.FOLDER / "README.md").read_text()
    assert build.MAP.search(readme)[0] == build.lesson_map(), "run: python lessons/tools/build.py --map"


def test_sources_have_the_names_of_the_map():
    assert set(NAMES) <= {row[0] for row in LESSONS}
    assert {path.stem for path in build.FOLDER.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("page", ["README.md", "AUTHORS.md"])
def test_links_of_the_pages_around_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", (build.FOLDER / page).read_text()):
        assert (build.FOLDER / target).exists(), target


def test_glossary_and_notation_are_complete_tables():
    readme = (build.FOLDER / "README.md").read_text()
    glossary = re.findall(r"^\| (.+) \| (.*[가-힣].*) \| (.+) \|$", readme, re.MULTILINE)
    terms = [row[0].lower() for row in glossary[1:]]
    assert len(terms) >= 40
    assert terms == sorted(terms)
    notation = re.findall(r"^\| \$(.+?)\$ \|(.+)\|(.+)\|(.*)\| (\d+) \|$", readme, re.MULTILINE)
    introduced = [int(row[-1]) for row in notation]
    assert introduced == sorted(introduced)


def test_committed_notebooks_are_as_the_builder_writes_them(name):
    path = build.FOLDER / f"{name}.ipynb"
    assert path.read_text() == build.as_text(nbformat.reads(path.read_text(), as_version=4))
    assert "execution" not in json.dumps([cell.get("metadata") for cell in json.loads(path.read_text())["cells"]])
