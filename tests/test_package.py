"""What is installed, and from which versions of other libraries on."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def requirements(path):
    """{library: (relation, version)} of the lines in a requirements file."""
    lines = re.findall(r"^([\w-]+)(==|>=)([\w.]+)", (ROOT / path).read_text(), re.MULTILINE)
    return {name: (relation, version) for name, relation, version in lines}


def test_oldest_versions_that_are_tested_are_the_lower_bounds():
    pins = requirements(".ci/oldest.txt")
    bounds = requirements("requirements.txt")
    assert bounds
    assert {relation for relation, _ in bounds.values()} == {">="}
    assert {name: pins.get(name) for name in bounds} == {name: ("==", version) for name, (_, version) in bounds.items()}


RUNS_CODE = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "yaml", "runpy", "ctypes"}
RUNS_CODE |= {"eval", "exec", "compile", "__import__", "np.load", "numpy.load", "os.system", "importlib.import_module"}


def names_in(tree):
    """What a module imports, without what is inside it, and what it calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_nothing_that_is_loaded_can_run_code():
    modules = [path for package in ("minigrad", "l2l") for path in (ROOT / package).rglob("*.py")]
    assert len(modules) > 40
    found = {str(path): RUNS_CODE & {*names_in(ast.parse(path.read_text()))} for path in modules}
    assert {path: names for path, names in found.items() if names} == {}


def test_wheel_holds_every_module_and_every_data_file(tmp_path):
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("minigrad", "l2l"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    there = {str(path.relative_to(tree)) for name in ("minigrad", "l2l") for path in (tree / name).rglob("*.*")}
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {name for name in there if not name.endswith("README.md")}
