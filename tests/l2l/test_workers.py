"""Work that is shared among processes, threads or a Dask cluster: the same bits, whoever does it, and nothing lost."""

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import workers
from l2l.cli.entry import main
from l2l.errors import FailedRun, L2LError
from l2l.optimizers import LSTM, make_optimizer
from l2l.problems import Quadratic, Simple
from minigrad.kernels._jit import enabled

SETTINGS = {"episodes": 4, "steps": 8, "unroll_length": 4, "tasks": 3, "validate_every": 2, "validation_tasks": 2}
PROBLEM, RULE = Quadratic(dimension=3, functions=2), LSTM(hidden=(3,))


@pytest.fixture(scope="module")
def processes():
    with workers.local(2) as executor:
        yield executor


@pytest.fixture
def anyone(request):
    """The executor of this name."""
    if request.param == "threads":
        with ThreadPoolExecutor(3) as executor:
            yield executor
    elif request.param == "dask":
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor()
    else:
        yield request.getfixturevalue("processes")


def vector(training):
    return mg.tree.ravel((training.phi, training.latest))[0]


def numbers(training):
    return [{**record, "seconds": None} for record in training.history]


@pytest.mark.parametrize("anyone", ["processes", "threads", "dask"], indirect=True)
def test_training_has_the_same_bits_whoever_does_the_work(anyone):
    here, there = (l2l.train(PROBLEM, RULE, executor=executor, **SETTINGS) for executor in (None, anyone))
    np.testing.assert_array_equal(vector(here), vector(there))
    assert numbers(here) == numbers(there)


@pytest.mark.parametrize("anyone", ["processes", "threads"], indirect=True)
def test_comparison_has_the_same_curves_whoever_does_the_work(anyone):
    entries = {"sgd": (make_optimizer("sgd"), None)}
    here, there = (
        l2l.compare(PROBLEM, entries, steps=5, repeats=3, tuning_repeats=2, executor=executor)["sgd"]
        for executor in (None, anyone)
    )
    np.testing.assert_array_equal(here["curves"], there["curves"])
    assert here["learning_rate"] == there["learning_rate"]


def test_training_resumes_with_another_number_of_workers_to_the_same_bits(processes, tmp_path):
    def stop(training):
        if len(training.history) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        l2l.train(PROBLEM, RULE, out=tmp_path, executor=processes, report=stop, **SETTINGS)
    np.testing.assert_array_equal(vector(l2l.resume(tmp_path)), vector(l2l.train(PROBLEM, RULE, **SETTINGS)))


def test_killed_worker_ends_the_run_with_its_last_episode_saved(tmp_path, capsys):
    with workers.local(2) as executor:

        def kill(training):
            if len(training.history) == 2:
                os.kill(next(iter(executor._processes)), signal.SIGKILL)
                time.sleep(0.5)

        with pytest.raises(FailedRun, match="the workers failed .*: start new ones and resume"):
            l2l.train(PROBLEM, RULE, out=tmp_path, executor=executor, report=kill, **SETTINGS)
    assert f"l2l.resume({str(tmp_path)!r})` goes on from there" in capsys.readouterr().err
    np.testing.assert_array_equal(vector(l2l.resume(tmp_path)), vector(l2l.train(PROBLEM, RULE, **SETTINGS)))


def test_work_of_a_killed_dask_worker_is_done_again_with_the_same_bits():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):

        def kill(training):
            if len(training.history) == 2:
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        there = l2l.train(PROBLEM, RULE, executor=client.get_executor(), report=kill, **SETTINGS)
    np.testing.assert_array_equal(vector(there), vector(l2l.train(PROBLEM, RULE, **SETTINGS)))


def test_scheduler_that_goes_away_ends_the_run():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(1, threads_per_worker=1, dashboard_address=None) as cluster:
        client = distributed.Client(cluster)

        def close(training):
            if len(training.history) == 1:
                client.close()
                cluster.close()

        with pytest.raises(FailedRun, match="the workers failed"):
            l2l.train(PROBLEM, RULE, executor=client.get_executor(), report=close, **SETTINGS)


def test_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with (
        pytest.raises(L2LError, match="no scheduler answers at tcp://127.0.0.1:1"),
        workers.of_scheduler("tcp://127.0.0.1:1"),
    ):
        pass


def test_missing_dask_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(L2LError, match="cluster"), workers.of_scheduler("tcp://127.0.0.1:1"):
        pass


def test_loss_that_cannot_be_sent_is_refused(processes):
    problem = l2l.problem_of(lambda theta: mg.sum(theta**2), np.ones(2))
    with pytest.raises(L2LError, match="cannot be sent to workers .*at the top of a module"):
        l2l.train(problem, RULE, executor=processes, **SETTINGS)


def test_what_is_no_executor_is_refused():
    with pytest.raises(L2LError, match=r"executor is a concurrent.futures.Executor, not 2"):
        l2l.train(PROBLEM, RULE, executor=2, **SETTINGS)


def test_code_that_a_worker_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def job():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    pickled = pickle.dumps(__import__("only_here").job)
    (tmp_path / "only_here.py").unlink()
    del sys.modules["only_here"]
    _, error, _ = workers._run(pickled, ())
    assert isinstance(error, L2LError)
    assert "a worker lacks the code (No module named 'only_here')" in str(error)


@dataclass(frozen=True)
class Fussy:
    """A problem whose loss raises an error."""

    data = "none"
    error: type = field(default=ZeroDivisionError)

    def sample(self, rng, split="train"):
        def loss(theta, batch):
            if split == "train":
                raise self.error("of the loss itself")
            return mg.sum(theta)

        return l2l.problems.Task(np.ones(2), loss)


def test_exception_of_a_loss_propagates_with_the_traceback_of_the_worker(processes):
    with pytest.raises(ZeroDivisionError, match="of the loss itself") as found:
        l2l.train(Fussy(), make_optimizer("sgd"), executor=processes, **SETTINGS)
    assert "in loss" in str(found.value.__cause__)


def test_missing_data_on_a_worker_is_the_workers_own_message(processes):
    with pytest.raises(l2l.errors.DataError, match="of the loss itself"):
        l2l.train(Fussy(l2l.errors.DataError), make_optimizer("sgd"), executor=processes, **SETTINGS)


@pytest.mark.skipif(not enabled, reason="without Numba, no kernel has threads")
def test_kernels_of_a_worker_run_on_one_thread():
    import numba

    before = numba.get_num_threads()
    with mg.threads.single():
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before


def test_executor_that_drops_its_work_ends_the_run():
    class Cancelling(ThreadPoolExecutor):
        def submit(self, *_, **__):
            future = Future()
            future.cancel()
            return future

    with Cancelling() as executor, pytest.raises(FailedRun, match="the workers failed .CancelledError"):
        l2l.train(Simple(), make_optimizer("sgd"), executor=executor, **SETTINGS)


# ------------------------------------------------------------------------------------------ the command line

WORDS = ["--tasks", "2", "--episodes", "2", "--steps", "4", "--validation-tasks", "1", "--validate-every", "1"]


def test_command_writes_the_same_files_whoever_does_the_work(tmp_path, capsys):
    for folder, words in (("one", []), ("two", ["--workers", "2"])):
        assert main(["train", "quadratic", "--functions", "2", *WORDS, "--out", str(tmp_path / folder), *words]) == 0
    assert (tmp_path / "one/optimizer.npz").read_bytes() == (tmp_path / "two/optimizer.npz").read_bytes()


def test_scheduler_and_workers_exclude_each_other(tmp_path, capsys):
    words = ["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"]
    assert main(["train", "quadratic", *WORDS, "--out", str(tmp_path / "run"), *words]) == 2
    assert "give --workers or --scheduler, not both" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux, which tells what processes there are")
def test_workers_end_where_their_parent_is_killed():
    program = (
        "import time\n"
        "from l2l import workers\n"
        "with workers.local(2) as executor:\n"
        "    print(*executor.map(abs, range(8)), flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}/cmdline").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(children) >= 2
    assert not [child for child in children if Path(f"/proc/{child}/cmdline").exists()]
