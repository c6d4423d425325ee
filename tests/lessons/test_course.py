"""What the lessons share: verdicts, predictions, numbers, shown source, figures."""

import base64
import functools
import io
import re

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from l2l import plots
from l2l.problems import draw_task
from lessons import course, figures, verdicts
from lessons.course import check, expect, recall, sci


@pytest.fixture
def shown(monkeypatch):
    """The (data, metadata) of all that a notebook would display."""
    outputs = []
    monkeypatch.setattr(course, "_publish", lambda data, metadata=None: outputs.append((data, metadata)))
    return outputs


def half_done(x):
    part = ...
    return part * x


@pytest.mark.parametrize(
    "verdict",
    [
        check(..., 4.0),
        check(None, 4.0),
        check((1.0, ...), (1.0, 2.0)),
        check(lambda x: ..., np.sin, on=[(1.0,)]),
        check(lambda x: None, np.sin, on=[(1.0,)]),
        check(half_done, np.sin, on=[(1.0,)]),
        check(..., that=lambda answer: "never called"),
    ],
)
def test_untouched_stub_is_not_yet(verdict):
    assert verdict.status == "not yet"
    assert repr(verdict).startswith("not yet: ")


@pytest.mark.parametrize(
    ("verdict", "evidence"),
    [
        (check(5.0, 4.0), "should be 4., it is 5. (off by 1)"),
        (check("b", "a"), "should be 'a', it is 'b'"),
        (check("four", 4.0), "it is 'four'"),
        (check(float("nan"), 4.0), "it is nan"),
        (check([1.0, 2.0], [1.0, 3.0]), "your answer[1] should be 3."),
        (check([1.0], [1.0, 3.0]), "a list of 2"),
        (check({"a": 1.0}, {"a": 2.0}), "your answer['a'] should be 2."),
        (check(1.0, {"a": 2.0}), "should be a dict"),
        (check(np.ones(3), np.ones((1, 3))), "should have shape (1, 3), it has shape (3,)"),
        (check(np.cos, np.sin, on=[(1.0,)]), "cos(1.) should be 0.84147098"),
        (check(lambda f, x: x, lambda f, x: f(x), on=[(np.exp, 0.0)]), "(exp, 0.) should be 1., it is 0."),
        (check(lambda x: 1 / x, np.sin, on=[(0,)]), "raised ZeroDivisionError"),
        (check(lambda: 1.0, np.sin, on=[(0.0,)]), "raised TypeError"),
        (check(mg.grad(lambda x: np.sin(x)), np.cos, on=[(1.0,)]), "the function of the same name in minigrad"),
        (check(0.5, that=lambda h: "too large" if h > 0.1 else None), "too large"),
    ],
)
def test_wrong_answer_is_not_quite_with_the_evidence(verdict, evidence):
    assert verdict.status == "not quite"
    assert evidence in repr(verdict)


@pytest.mark.parametrize(
    "verdict",
    [
        check(4, 4.0),
        check(4.0 + 1e-10, 4.0),
        check(1.001e9, 1e9, tolerance=1e-2),
        check("a", "a"),
        check({"a": np.ones(2), "b": [1, (2.0,)]}, {"a": np.ones(2), "b": [1.0, (2.0,)]}),
        check(np.sin, np.sin, on=[(1.0,), (np.ones(3),)]),
        check(1e-3, that=lambda h: "too large" if h > 0.1 else None),
    ],
)
def test_right_answer_is_right(verdict):
    assert verdict.status == "right"


def written_in_a_cell(code):
    """A function that has a file of its own, as a notebook's cell gives it."""
    space = {"np": np, "mg": mg}
    exec(compile(code, "cell", "exec"), space)
    return space["answer"]


@pytest.mark.parametrize(
    "body",
    [
        "x[len(x) / 2]",  # NumPy's IndexError speaks of ellipses
        "np.array(1.0)['log_rate']",  # a scalar φ
    ],
)
def test_an_index_error_is_no_untouched_stub(body):
    verdict = check(written_in_a_cell(f"def answer(x):\n    return {body}"), np.sum, on=[(np.ones(3),)])
    assert verdict.status == "not quite"
    assert verdict.message.startswith("your code raised IndexError")


@pytest.mark.parametrize(
    "body", ["x + ...", "float(...)", "len(...)", "(lambda f: f(x))(...)", "(...).shape", "np.exp(...)", "[*...]"]
)
def test_an_error_that_names_the_type_of_the_dots_is_an_untouched_stub(body):
    verdict = check(written_in_a_cell(f"def answer(x):\n    return {body}"), np.sum, on=[(np.ones(3),)])
    assert repr(verdict) == "not yet: there still is a ... in your code in the cell above."


def test_only_errors_in_the_readers_cell_are_the_readers():
    answer = written_in_a_cell("def answer(x):\n    return 1 / x")
    assert "your code raised ZeroDivisionError" in repr(check(answer, np.sin, on=[(0,)]))
    assert "your code raised ZeroDivisionError" in repr(check((answer, 1.0), that=lambda both: both[0](0)))
    bound = functools.partial(answer, 0)
    assert "your code raised ZeroDivisionError" in repr(check(bound, that=lambda answer: answer()))
    for verdict in (check(answer, that=lambda answer: len(answer(1.0))), check(0, that=lambda answer: 1 / answer)):
        assert verdict.message.startswith("the check cannot use your answer: it raised ")


def test_a_partial_and_a_tuple_that_return_dots_are_not_yet():
    assert check(functools.partial(lambda a, x: ..., 1), np.sin, on=[(1.0,)]).status == "not yet"
    assert check((np.sin, 1.0), that=lambda answer: verdicts.written([...])).status == "not yet"


@pytest.mark.parametrize("distance", [1e-8, 1e-11, 3e-14])
def test_two_numbers_in_a_verdict_differ_in_their_digits(distance):
    one, other = 0.1, 0.1 + distance
    assert len(set(verdicts.apart(one, other))) == 2
    for found in (other, np.array([1.0, other]), np.append(np.ones(20), other)):
        expected = np.where(np.asarray(found) == other, one, found)
        text = verdicts.differs("it", found, expected, tolerance=1e-15)
        shown = re.fullmatch(r"it.* should be (.*), it is (.*) \(off by .*\)", text)
        assert shown[1] != shown[2]
    assert verdicts.apart(one, one) == ["0.1", "0.1"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(1.0, "2 values, α, μ; it returns 1"), ((1.0, 2.0, 3.0), "it returns 3"), (np.ones(4), "it returns 4")],
)
def test_an_answer_of_too_few_or_too_many_parts_is_told_so(answer, words):
    assert words in repr(check(0, that=lambda _: verdicts.parts(answer, "α", "μ")))


@pytest.mark.parametrize("answer", [np.nan, np.inf, "1", np.ones(1), 1j, True])
def test_what_is_no_finite_number_is_told_so(answer):
    assert "α should be one finite number" in repr(check(0, that=lambda _: verdicts.number(answer, "α")))
    assert verdicts.number(np.float32(0.5), "α") == 0.5


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda y, x: lambda u: u * y, None),
        (lambda y, x: lambda u, y=y: u * y, None),
        (lambda y, x: functools.partial(np.multiply, y), None),
        (lambda y, x: lambda u: u * x, "keeps x"),
        (lambda y, x: functools.partial(np.multiply, x[1:]), "keeps x"),
        (lambda y, x: functools.partial(np.multiply, 2.0 * y), "an array of its own"),
        (lambda y, x: y.shape, "should return a function"),
    ],
)
def test_what_a_rule_keeps_is_seen_however_it_keeps_it(rule, words):
    found = verdicts.keeps(rule, np.ones(10_000), np.ones(10_000))
    assert found is None if words is None else words in found


def test_prediction_stands_beside_the_outcome(capsys):
    recall(..., 0.25)
    recall(0.5, 0.25)
    recall("fast", "slow")
    recall(1_000_000, 2_097_150)
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert first == "You wrote no prediction. Measured: 0.25"
    assert second == "You predicted: 0.5. Measured: 0.25"
    assert third == "You predicted: fast. Measured: slow"
    assert fourth == "You predicted: 1000000. Measured: 2,097,150"


def test_wanted_error_is_printed_and_a_missing_one_is_raised(capsys):
    with expect(ZeroDivisionError):
        1 / 0  # noqa: B018
    assert capsys.readouterr().out == "ZeroDivisionError: division by zero\n"
    with (
        pytest.raises(AssertionError, match="should have raised ValueError or TypeError"),
        expect(ValueError, TypeError),
    ):
        pass


@pytest.mark.parametrize(
    ("value", "text"),
    [(6.06e-6, "6.1·10⁻⁶"), (1e-8, "1.0·10⁻⁸"), (0.25, "0.25"), (3141.6, "3,142"), (0, "0"), (2.5e7, "2.5·10⁷"),
     (-3e-4, "-3.0·10⁻⁴"), (np.inf, "inf")],
)  # fmt: skip
def test_number_in_prose(value, text):
    assert sci(value) == text


def test_power_of_ten_alone():
    assert sci(1e-8, digits=1) == "10⁻⁸"


def test_underscores_of_a_file_name_stay_underscores_in_markdown(shown):
    course.show_source(draw_task)
    ((data, _),) = shown
    assert data["text/markdown"].startswith(r"[l2l/problems/\_\_init\_\_.py, line")


def test_shown_source_is_the_file_itself(shown):
    course.show_source(mg.check_gradients, "minigrad.testing.STENCILS", mg.tanh)
    for (data, _), (file, start) in zip(
        shown,
        [
            ("minigrad/testing.py", "def check"),
            ("minigrad/testing.py", "STENCILS ="),
            ("minigrad/ops/elementwise.py", "@"),
        ],
        strict=True,
    ):
        caption, code = data["text/plain"].split("\n\n", 1)
        name, line = caption.split(", line ")
        assert name == file
        assert code.startswith(start)
        lines = (course.ROOT / file).read_text().splitlines()
        assert lines[int(line) - 1 :][: len(code.splitlines())] == code.splitlines()
        assert f"](../{file}#L{line})" in data["text/markdown"]
    with pytest.raises(AttributeError, match="assigns nothing to NOTHING"):
        course.show_source("minigrad.testing.NOTHING")


def test_figure_carries_its_words(shown):
    figure, _ = figures.lines({"a": ([1, 2], [3, 4])}, "Lines", "x", "y")
    course.show(figure, alt="Two points.")
    (data, metadata), (words, _) = shown
    assert metadata["image/png"] == {"alt": "Two points.", "width": 700}
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).size == (1050, 675)
    assert "Two points." in words["text/html"]


def test_words_of_a_figure_are_text_and_not_tags(shown):
    figure, _ = figures.lines({"a": ([1, 2], [3, 4])}, "Lines", "x", "y")
    course.show(figure, alt="Where x<b the line falls & stays.")
    assert "Where x&lt;b the line falls &amp; stays." in shown[1][0]["text/html"]


def test_figures_of_the_command_line_can_be_shown_too(shown):
    results = {"lstm": {"learning_rate": None, "curves": np.ones((2, 3))}}
    course.show(plots.curves(None, results, "Flat"), alt="A flat line.")
    course.show(figures.loop(), alt="Two loops.")
    assert [metadata["image/png"]["alt"] for _, metadata in shown[::2]] == ["A flat line.", "Two loops."]


def test_animation_has_a_filmstrip_words_and_a_limit_and_is_the_same_each_time(shown):
    for _ in range(2):
        figure, axes = figures.lines({"a": ([1, 2], [3, 4])}, "Lines", "x", "y", size=(3, 2))
        (line,) = axes.lines
        course.show_animation(
            figure, lambda k, line=line: line.set_ydata([3, 4 + k]), 3, alt="A line that turns.", strip=3
        )
    (film, metadata), _, (player, _) = shown[:3]
    assert film["image/png"]
    assert metadata["image/png"]["alt"] == "A line that turns."
    assert "<img " in player["text/html"]
    assert "<img " not in player["text/html"].replace('<img alt="', "")
    assert "http" not in player["text/html"]
    assert "▶</button>" in player["text/html"]
    assert shown[:3] == shown[3:]
    first, *frames = re.findall(r'"data:image/png;base64,([^"]*)"', player["text/html"])
    assert len(frames) == 3
    assert first == frames[0]  # the image has it from the start: JupyterLab gives no room to one that a script fills
    assert all(Image.open(io.BytesIO(base64.b64decode(frame))).mode == "P" for frame in frames)
    with pytest.raises(ValueError, match="at most 60 frames"):
        course.show_animation(figure, print, 61, alt="")


def test_map_of_lessons_is_in_order():
    assert [int(name[:2]) for name, *_ in course.LESSONS] == list(range(1, 17))
    for number, (_, question, minutes, needs) in enumerate(course.LESSONS, 1):
        assert question.endswith("?")
        assert 30 <= minutes <= 90
        assert all(n < number for n in needs)
