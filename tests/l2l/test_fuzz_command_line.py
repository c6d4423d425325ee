"""Hostile command lines: whatever is typed, the answer is a result or one line that names what is wrong."""

import contextlib
import dataclasses
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

import l2l
from l2l.__main__ import main
from l2l.cli.options import flag
from l2l.meta_training.state import Settings
from l2l.optimizers import OPTIMIZERS
from tests.conftest import LINUX, UNIX

L2L = f"{shlex.quote(sys.executable)} -m l2l"

HUGE = ["1" + "0" * 12, "9" * 30, "9" * 5000, "1e300", "1e400"]
NUMBERS = ["", " ", "0", "-0", "-1", "1", "2", "1.5", "²", "١", "1_0", "nan", "inf", "-inf", "1e-400", *HUGE]
WORDS = ["true", "None", "[]", "$x$", "_", "é한", "a" * 300, "a" * 5000, "x\0y", "\udcff", "\ud800", "a\nb", "\x1b[2J"]
SIGNS = ["-x", "--out", "=", ":", ",", "::=", "a=b=c", "a=sgd", "a=simple,b=x", "%s", "{0}", "@x"]
NAMES = ["folder", "binary", "missing", "folder/missing", "binary/x", "saved.npz", "mnist", "/dev/null", "/proc/x", "."]
VALUES = st.sampled_from(NUMBERS + WORDS + SIGNS + NAMES)

SHORT = ["--episodes", "1", "--steps", "2", "--unroll-length", "1", "--validate-every", "1"]
PROBLEMS = [
    ["simple"],
    ["quadratic", "--dimension", "2", "--functions", "2"],
    ["mnist", "--hidden", "2", "--batch", "2"],
    ["mnist-conv", "--channels", "2", "--hidden", "2", "--batch", "2"],
    ["ensemble", "--problems", "a=simple,b=quadratic:functions=2"],
    ["mixture", "--problems", "a=simple,b=logistic"],
    ["scaled", "--problem", "a=simple"],
    ["small-recurrent", "--width", "2-3"],
]
TRAIN = [field.name for field in dataclasses.fields(Settings) if field.type is not bool]
RACE = ["seed", "steps", "repeats", "json", "plot"]
OF_PROBLEM = {name: [field.name for field in dataclasses.fields(cls)] for name, cls in l2l.problems.PROBLEMS.items()}
FIELDS = sorted(
    {name for cls in OPTIMIZERS.values() for name in cls.__dataclass_fields__} | {"preset", "name", "self", ""}
)

OPTIMIZER = st.one_of(
    VALUES,
    st.builds(
        lambda name, pairs: ":".join([name, *(f"{key}={value}" for key, value in pairs)]),
        st.sampled_from(list(OPTIMIZERS)),
        st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=2),
    ),
)
ENTRY = st.one_of(
    OPTIMIZER,
    st.builds("{}={}".format, VALUES, VALUES),
    st.builds("{}={}".format, st.sampled_from(["$x$", "_", "a b"]), st.sampled_from(["saved.npz", "mnist"])),
)


@st.composite
def one_fault(draw):
    """(a call that works, the option that is added to it, its hostile value)."""
    kind = draw(st.sampled_from(["train", "train", "compare", "compare", "demo"]))
    problem = draw(st.sampled_from(PROBLEMS))
    if kind == "demo":
        option = draw(st.sampled_from(["seed", "episodes", "steps", "repeats", "out"]))
        call = ["demo", "--episodes", "1", "--steps", "1", "--repeats", "1", "--out", "out"]
        return (
            call,
            option,
            draw(st.sampled_from(["", "0", "²", "x\0y", "9" * 30, "binary"])),
        )  # racing on digits takes time
    if kind == "train":
        call = ["train", *problem, *SHORT, "--optimizer", "sgd", "--out", "out"]
        option = draw(st.sampled_from([*TRAIN, *OF_PROBLEM[problem[0]], "optimizer", "optimizer", "out"]))
        return call, option, draw(OPTIMIZER if option == "optimizer" else VALUES)
    call = ["compare", *problem, "--steps", "2", "--repeats", "1", "--optimizers", "sgd:learning_rate=0.1"]
    option = draw(st.sampled_from([*RACE, *OF_PROBLEM[problem[0]], "optimizers", "optimizers"]))
    return call, option, draw(ENTRY if option == "optimizers" else VALUES)


ANY_CALL = st.lists(
    st.one_of(
        VALUES,
        OPTIMIZER,
        st.sampled_from(["train", "compare", "doctor", "inspect", "reproduce", "problems", "optimizers", "simple"]),
        st.sampled_from(
            ["--", *(flag(name, "") for name in [*TRAIN, *RACE, "overwrite", "out", "optimizer", "optimizers"])]
        ),
    ),
    min_size=1,
    max_size=6,
).filter(lambda words: words[0] in ("train", "compare", "doctor", "inspect", "problems", "-x", "", "²", "a\nb"))


def call(arguments):
    """(exit code, standard error, the files that are new) of a call in a folder with some things to stumble over."""
    errors, here = io.StringIO(), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("folder").mkdir()
            Path("binary").write_bytes(bytes(range(256)))
            l2l.save("saved.npz", l2l.make_optimizer("linear"), l2l.make_optimizer("linear").init())
            there = set(Path().rglob("*"))
            code = _exit_code(arguments, errors)
            return code, errors.getvalue(), set(Path().rglob("*")) - there
        finally:
            os.chdir(here)


def _exit_code(arguments, errors):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        try:
            return main(list(arguments))
        except SystemExit as exit:
            return exit.code


def complaint(code, errors):
    """The one line that a failure consists of; None where there was none."""
    lines = [line for line in errors.replace("\r", "\n").splitlines() if line.startswith("l2l: ")]
    assert code in (0, 1, 2), code
    assert len(lines) == (code != 0), errors
    assert "Traceback" not in errors
    return lines[0] if lines else None


def check_one_fault(fault):
    arguments, option, value = fault
    title = "problem" if option in OF_PROBLEM.get(arguments[1], ()) else "command"
    code, errors, new = call([*arguments, f"{flag(option, title)}={value}"])
    line = complaint(code, errors)
    if line and "not finite" not in line:  # which names the meta learning rate in its own words
        words = [option.rstrip("s"), *value.replace(",", ":").replace("=", ":").split(":")]
        shown = ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in word) for word in words]
        assert any(word and word in line for word in shown), line
    written = [value] if option in ("out", "json", "plot") else ["out"]
    assert all(any(path.is_relative_to(name) or Path(name).is_relative_to(path) for name in written) for path in new), (
        new
    )


def check_any_call(arguments):
    code, errors, _ = call(arguments)
    complaint(code, errors)


COUNTS = [200, pytest.param(2000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("examples", COUNTS)
@pytest.mark.parametrize(("check", "calls"), [(check_one_fault, one_fault()), (check_any_call, ANY_CALL)])
def test_every_failure_is_one_line(check, calls, examples):
    hypothesis.settings(max_examples=examples, suppress_health_check=list(hypothesis.HealthCheck))(
        hypothesis.given(calls)(check)
    )()


# ------------------------------------------------------------------------------------------ as a program


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=Path(__file__).parents[2])


@UNIX
@pytest.mark.parametrize("end", ["| true", ">&-"])
def test_a_reader_that_is_gone_is_met_in_silence(end):
    assert shell(f"(sleep 0.2; {L2L} problems) {end}").stderr == ""


@LINUX
def test_a_full_disk_behind_standard_output_is_one_line():
    done = shell(f"{L2L} problems > /dev/full")
    assert done.returncode == 1
    assert "standard output failed (No space left on device)" in complaint(1, done.stderr)


@UNIX
def test_a_name_that_is_not_text_is_printed_all_the_same(tmp_path):
    done = shell(f"{L2L} train simple --optimizer sgd --episodes 1 --steps 1 --out {tmp_path}/$'\\xff'")
    assert done.returncode == 0
    assert r"\udcff/optimizer.npz holds the optimizer" in done.stdout


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ("sgd:learning_rate=1:learning_rate=2", "has an option twice"),
        ("sgd:name=adam", "optimizer 'sgd' has no option 'name'"),
        ("a=sgd:learning_rate=1:learning_rate=2", "has an option twice"),
        ("a=sgd,a=adam", "a name twice"),
        ("a=sgd,b=adam", "this θ has no parts: use one rule"),
    ],
)
def test_option_or_part_of_an_optimizer_that_cannot_be_is_refused(optimizer, message):
    code, errors, new = call(["train", "simple", "--optimizer", optimizer, "--out", "out"])
    assert (code, new) == (2, set())
    assert message in complaint(code, errors)


def test_label_is_shown_as_it_stands():
    rules = "$\\frac$=saved.npz,_hidden=saved.npz"
    code, errors, new = call(
        ["compare", "simple", "--steps", "2", "--repeats", "1", "--optimizers", rules, "--plot", "f.png"]
    )
    assert (code, new) == (0, {Path("f.png")}), errors


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("train mnist --hidden 1000000000", "hidden is a whole number of at most 10,000"),
        ("train mnist --layers 100 --hidden 10000", "hidden and layers make a network of more than 10,000,000 weights"),
        ("train mnist --batch 1000000000000", "batch is a whole number of at most 100,000"),
        ("train quadratic --dimension 1000000000", "dimension is a whole number of at most 10,000"),
        ("train quadratic --functions 100000 --dimension 1000", "functions · dimension²"),
        ("train simple --steps 1000000000", "steps is a whole number of at most 1,000,000"),
        ("train simple --optimizer lstm:hidden=1000000000", "hidden is a whole number of at most 512"),
        ("train simple --optimizer lstm:hidden=1" + "-1" * 500, "of 1 to 8 layers"),
        ("train simple --optimizer newton:iterations=1000000000", "iterations is a whole number of at most 10,000"),
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_asked_for(arguments, named):
    code, errors, new = call([*arguments.split(), "--out", "out"])
    assert (code, new) == (2, set())
    assert re.search(named, complaint(code, errors))


def test_running_out_of_memory_is_one_line(monkeypatch):
    def exhausted(*args):
        raise MemoryError("Unable to allocate 14.9 GiB")

    monkeypatch.setattr(l2l.problems.Simple, "sample", exhausted)
    code, errors, _ = call(["train", "simple", "--out", "out"])
    assert code == 1
    assert "not enough memory (Unable to allocate 14.9 GiB): lower the sizes" in complaint(code, errors)
