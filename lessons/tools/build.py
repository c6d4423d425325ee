"""Build the lessons: notebooks made from lessons/source/ and executed, with their outputs.

python lessons/tools/build.py             build every notebook that is older than its source
python lessons/tools/build.py 01 12       build these notebooks in any case
python lessons/tools/build.py --check     list notebooks that are older than their source, and fail if there are any
python lessons/tools/build.py --map       update the map in lessons/README.md, and draw its figure
python lessons/tools/build.py --html DIR  convert all notebooks to HTML pages, to read without a network

In the Markdown of a source, {{expression:format}} stands for a number that the code above it computes. Building the
notebook fills it in, so that text and result cannot disagree.
"""

import argparse
import copy
import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import matplotlib
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lessons import figures  # noqa: E402
from lessons.course import LESSONS, lesson  # noqa: E402
from lessons.tools import pages  # noqa: E402

FOLDER = ROOT / "lessons"
MAP = re.compile(r"(?<=<!-- map -->\n).*?(?=<!-- end of map -->)", re.DOTALL)
PLACEHOLDER = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
SOLUTION = re.compile(r"```python\n(.*?)```", re.DOTALL)

# Code that cuts the notebook kernel off from the network, so that no lesson can depend on it.
OFFLINE = """
def _offline():
    import socket
    connect, find = socket.socket.connect, socket.getaddrinfo
    local = ("localhost", "127.0.0.1", "::1", "", None)
    def refuse(host):
        if host not in local:
            raise OSError(f"a lesson must run without a network, this one asked for {host}")
    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0])
        return connect(self, address)
    def guarded_find(host, *args, **kwargs):
        refuse(host)
        return find(host, *args, **kwargs)
    socket.socket.connect = socket.socket.connect_ex = guarded_connect
    socket.getaddrinfo = guarded_find
_offline()
del _offline
"""
FILL = """
def _fill():
    import json
    from course import lesson, result, sci
    print(json.dumps([{strings}]))
_fill()
del _fill
"""
CPU_SECONDS = "import os; print(sum(os.times()[:4]))"


def sources():
    """All lessons that have a source: {name: path of the source}, in order."""
    return {path.stem: path for path in sorted((FOLDER / "source").glob("[0-9][0-9]_*.py"))}


def read(path):
    """The notebook of a source, not executed."""
    notebook = jupytext.read(path)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
        "l2l": {"source_sha256": digest(path)},
    }
    seen = {}
    for cell in notebook.cells:
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[name] = seen.get(name, 0) + 1
        cell.id = f"{name}-{seen[name]}"
    return notebook


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def with_solutions(notebook):
    """The notebook with each exercise's stub replaced by the code of the folded solution that follows it."""
    notebook = copy.deepcopy(notebook)
    stub = None
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            if stub:
                raise ValueError(f"this exercise has no solution:\n{stub.source}")
            stub = cell
        elif "solution" in tags:
            code = SOLUTION.findall(cell.source)
            if stub is None or len(code) != 1:
                raise ValueError(f"a solution follows its exercise and holds one ```python block, not:\n{cell.source}")
            stub.source, stub = code[0].rstrip(), None
    if stub:
        raise ValueError(f"this exercise has no solution:\n{stub.source}")
    return notebook


def run(notebook, timeout=600):
    """Execute the notebook in place, in a new kernel without a network, and fill in its numbers.

    Returns the seconds of processor time. Raises nbclient's CellExecutionError where a cell raises.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(FOLDER)}},
        coalesce_streams=True,
        record_timing=False,
    )
    with tempfile.TemporaryDirectory() as cache:
        # The same data everywhere: the digits of the package, not MNIST from this user's cache.
        env = {**os.environ, "XDG_CACHE_HOME": cache, "MPLCONFIGDIR": matplotlib.get_cachedir(), "PYTHONHASHSEED": "0"}
        env.pop("L2L_DATA", None)
        with client.setup_kernel(env=env):
            _hidden(client, OFFLINE)
            before = float(_hidden(client, CPU_SECONDS))
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type == "code":
                    client.execute_cell(cell, index)
                elif PLACEHOLDER.search(cell.source):
                    cell.source = _filled(client, cell.source)
            return float(_hidden(client, CPU_SECONDS)) - before


def _filled(client, markdown):
    strings = ", ".join("f'''{" + expression + "}'''" for expression in PLACEHOLDER.findall(markdown))
    numbers = iter(json.loads(_hidden(client, FILL.format(strings=strings))))
    return PLACEHOLDER.sub(lambda match: next(numbers), markdown)


def _hidden(client, code):
    """The output of code that runs in the notebook's kernel without becoming part of the notebook."""
    first = client.nb.cells[0]
    try:
        cell = client.execute_cell(nbformat.v4.new_code_cell(code), 0, store_history=False)
    finally:
        client.nb.cells[0] = first
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def build(name):
    """Build one notebook and write it; returns its path."""
    notebook = read(sources()[name])
    seconds = run(notebook)
    path = FOLDER / f"{name}.ipynb"
    path.write_text(as_text(notebook))
    print(f"{path.relative_to(ROOT)}: {len(notebook.cells)} cells, {path.stat().st_size // 1000} kB, {seconds:.0f} s")
    return path


def as_text(notebook):
    return nbformat.writes(notebook) + "\n"


def stale():
    """The names of lessons whose notebook is missing or was built from another version of the source."""
    return [name for name, path in sources().items() if _stamp(FOLDER / f"{name}.ipynb") != digest(path)]


def _stamp(path):
    return json.loads(path.read_text())["metadata"]["l2l"]["source_sha256"] if path.exists() else None


def lesson_map():
    """The table of all lessons, for lessons/README.md."""
    written = sources()
    rows = ["| lesson | minutes | builds on | |", "|---|---|---|---|"]
    for number, (name, question, minutes, needs) in enumerate(LESSONS, 1):
        title = lesson(number) if name in written else f"{number} · {question}"
        state = "" if name in written else "not yet written"
        rows.append(f"| {title} | {minutes} | {', '.join(map(str, needs)) or '–'} | {state} |")
    return "\n".join(rows) + "\n"


def write_map():
    readme = FOLDER / "README.md"
    readme.write_text(MAP.sub(lambda match: lesson_map(), readme.read_text()))
    figures.loop().savefig(FOLDER / "images" / "loop.png", metadata={"Software": None})


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="build.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("numbers", nargs="*", metavar="NN", help="lessons to build, as 01 12")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--html", type=Path, metavar="DIR")
    given = parser.parse_args(arguments)
    if given.check:
        for name in stale():
            print(f"lessons/{name}.ipynb is older than its source: python lessons/tools/build.py {name[:2]}")
        return 1 if stale() else 0
    if given.map:
        write_map()
    elif given.html:
        pages.write(given.html, FOLDER, ROOT)
    else:
        names = [name for name in sources() if name[:2] in {f"{int(n):02}" for n in given.numbers}]
        for name in names if given.numbers else stale():
            build(name)
        write_map()
    return 0


if __name__ == "__main__":
    sys.exit(main())
