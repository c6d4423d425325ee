"""Work that is shared among the workers of an executor: other processes, on this machine or on many.

`Executor` is that of `concurrent.futures`, which process pools, Dask, MPI and Ray offer. A job is a function of its
arguments alone, so a result has the same bits wherever it is computed, and what a lost worker had begun can be done
again.
"""

import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

from l2l.errors import FailedRun, L2LError
from minigrad import threads

PATIENCE = 30  # seconds in which a scheduler has to answer


def spread(job: Callable, executor: Executor | None) -> Callable[[list[tuple]], list]:
    """A function that gives [job(*arguments) for arguments in calls], computed here where executor is None.

    job is pickled once; a worker unpickles it once and keeps it, so that job may remember what is costly to make. Each
    call runs its kernels on one thread: there should be as many workers as cores. Exceptions of the job propagate.

    Raises L2LError where the job cannot be sent or a worker cannot import what it needs, FailedRun where the executor
    fails, because a worker was killed or a scheduler has gone.
    """
    if executor is None:
        return lambda calls: [job(*arguments) for arguments in calls]
    if not isinstance(executor, Executor):
        raise L2LError(f"executor is a concurrent.futures.Executor, not {executor!r}")
    try:
        pickled = pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        fix = "define losses and classes at the top of a module, not inside a function, and not as a lambda"
        raise L2LError(f"this cannot be sent to workers ({error}): {fix}") from None

    def each(calls):
        futures = []
        try:
            futures = [executor.submit(_run, pickled, arguments) for arguments in calls]
            results = [future.result() for future in futures]
        except Exception as error:  # each executor has its own kinds
            raise FailedRun(
                f"the workers failed ({type(error).__name__}: {error}): start new ones and resume"
            ) from error
        finally:
            for future in futures:
                future.cancel()
        for _, error, trace in results:
            if error is not None:
                raise error from RuntimeError(f"on a worker:\n{trace}")
        return [result for result, _, _ in results]

    return each


def _run(pickled: bytes, arguments: tuple) -> tuple[Any, Exception | None, str]:
    """On a worker: the job's result, and its exception with the traceback. All that a future raises is the executor's
    own."""
    try:
        with threads.single(), threads.for_kernels():
            return _unpickled(pickled)(*arguments), None, ""
    except Exception as error:
        return None, error, traceback.format_exc()


@functools.lru_cache(maxsize=4)
def _unpickled(pickled):
    try:
        return pickle.loads(pickled)
    except (ImportError, AttributeError) as error:
        raise L2LError(f"a worker lacks the code ({error}): install the same packages there, and this module") from None


@contextlib.contextmanager
def local(count: int) -> Iterator[Executor | None]:
    """An executor with this many processes on this machine, which end with the context; None for one: no process.

    They are spawned, not forked: OpenMP does not survive a fork. A script that uses them starts its work below
    `if __name__ == "__main__":`, for each process imports the script.
    """
    if count == 1:
        yield None
        return
    with processes(count) as executor:
        yield executor


def processes(count: int) -> ProcessPoolExecutor:
    """A pool of this many spawned processes, which end if this one is killed."""
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin():
    """In a new process: Ctrl-C is the parent's to handle; and if the parent is killed, this process ends, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent: Any = multiprocessing.parent_process()

    def follow():
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def of_scheduler(address: str) -> Iterator[Executor]:
    """The executor of the Dask scheduler that runs at this address, such as tcp://10.0.0.1:8786."""
    try:
        from distributed import Client
    except ImportError:
        raise L2LError("a scheduler needs Dask: pip install 'l2l[cluster]'") from None
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        raise L2LError(f"no scheduler answers at {address} ({error}): start one by `dask scheduler`") from None
    with client:
        yield client.get_executor()
