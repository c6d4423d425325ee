"""What is installed, and from which versions of other libraries on."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib  # Python 3.10, to which pytest brings it

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(lines):
    """{library: (relation, version)} of requirements, by their first bound."""
    found = (re.match(r"([\w-]+)(==|>=)([\w.]+)", line) for line in lines)
    return {match[1]: (match[2], match[3]) for match in found if match}


def test_oldest_versions_that_are_tested_are_the_lower_bounds():
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["lessons"], *extras["test"]]
    bounds = requirements(wanted)
    pins = requirements((ROOT / ".ci/oldest.txt").read_text().splitlines())
    assert len(bounds) == len(wanted)
    assert {relation for relation, _ in bounds.values()} == {">="}
    assert {name: pins.get(name) for name in bounds} == {name: ("==", version) for name, (_, version) in bounds.items()}


def test_what_running_needs_is_without_what_lessons_and_tests_need():
    extras = PROJECT["optional-dependencies"]
    assert not {*requirements(PROJECT["dependencies"])} & {*requirements([*extras["lessons"], *extras["test"]])}


def test_the_formatter_of_pre_commit_is_that_of_ci():
    (version,) = re.findall(r"ruff==([\d.]+)", " ".join(PROJECT["optional-dependencies"]["dev"]))
    assert f"rev: v{version}\n" in (ROOT / ".pre-commit-config.yaml").read_text()


RUNS_CODE = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "yaml", "runpy", "ctypes"}
RUNS_CODE |= {"eval", "exec", "compile", "__import__", "np.load", "numpy.load", "os.system", "importlib.import_module"}
ASKED_FOR = {
    "l2l/cli/options.py": {"importlib.import_module"},  # by the user, as --import MODULE
    "l2l/workers.py": {"pickle"},  # of jobs for the user's own workers, never of files
}


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
    found = {
        path.relative_to(ROOT).as_posix(): RUNS_CODE & {*names_in(ast.parse(path.read_text()))} for path in modules
    }
    assert {path: names for path, names in found.items() if names} == ASKED_FOR


def test_wheel_holds_every_module_and_every_data_file(tmp_path):
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("minigrad", "l2l"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    there = {str(path.relative_to(tree)) for name in ("minigrad", "l2l") for path in (tree / name).rglob("*.*")}
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {name for name in there if not name.endswith("README.md")}


def test_no_function_has_the_name_of_its_module():
    """`package.name` would be the one or the other, whichever was imported last."""
    for path in [*(ROOT / "minigrad").rglob("*.py"), *(ROOT / "l2l").rglob("*.py")]:
        names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert path.stem not in names, path
