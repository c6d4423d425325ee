"""Do the tests notice a mistake? Plant one at a time in a copy of the source, and see whether they fail.

    python tests/mutation.py [COUNT]     a fixed random sample of COUNT mistakes, 400 if not given; 0 for all of them

One line of mutation.jsonl for every mistake says where it was, what became of which expression, and which test noticed.
A run that was interrupted goes on where it stopped; mistakes that survived are tried again. Not mutated: texts,
annotations, what is raised, `strict=` of zip, and the samples that the tests run on.
"""

import ast
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOG = ROOT / "mutation.jsonl"
ENDLESS = 120  # seconds of processor time, after which a run is ended: several times what all tests of a file take

ENGINE = ("primitives", "axes", "core", "var", "conventions", "compositions", "shapes", "curvature", "layers", "fused")
ENGINE += ("traced", "known_gradient", "left_behind", "special_values", "linalg", "nn")
IMAGE = ("image", "primitives", "special_values")
LEARNING = ("unrolling", "meta_training", "curvature_rules", "optimizers")


def tests_of(file):
    """Those that should notice, quick ones first."""
    if file.startswith("l2l"):
        return [f"tests/l2l/test_{name}.py" for name in LEARNING]
    names = IMAGE if file.endswith(("image.py", "normalization.py")) else ENGINE
    return [f"tests/minigrad/test_{name}.py" for name in names]


OPS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "minigrad/ops").glob("*.py"))
TESTS = {file: tests_of(file) for file in ("minigrad/core.py", "minigrad/fast_paths.py", *OPS, "l2l/unrolling.py")}


def _table(names):
    nodes = [getattr(ast, name) for name in names.split()]
    return dict(zip(nodes[::2], nodes[1::2], strict=True))


INSTEAD = _table("Add Sub  Sub Add  Mult Div  Div Mult  FloorDiv Mult  Mod Add  Pow Mult  MatMult Mult  BitAnd BitOr")
OPPOSITE = _table("Lt GtE  GtE Lt  Gt LtE  LtE Gt  Eq NotEq  NotEq Eq  Is IsNot  IsNot Is  In NotIn  NotIn In")
TOUCHING = _table("Lt LtE  LtE Lt  Gt GtE  GtE Gt")

Mutant = namedtuple("Mutant", "file line column change source")


def mistakes(node, modules):
    """(what to replace, by what) for every mistake in this node itself."""
    match node:
        case ast.BinOp(left, operator, right):
            yield node, ast.BinOp(left, INSTEAD[type(operator)](), right)  # a wrong operator
            yield node, left  # a dropped term
            yield node, right
            if not isinstance(operator, (ast.Add, ast.Mult)):
                yield node, ast.BinOp(right, operator, left)
            if not isinstance(operator, (ast.Add, ast.Sub)):
                yield node, ast.UnaryOp(ast.USub(), node)
        case ast.AugAssign(target, operator, value):
            yield node, ast.AugAssign(target, INSTEAD[type(operator)](), value)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield node, operand
        case ast.Compare(left, operators, right):
            for table in (OPPOSITE, TOUCHING):
                for k, operator in enumerate(operators):
                    if other := table.get(type(operator)):
                        yield node, ast.Compare(left, [*operators[:k], other(), *operators[k + 1 :]], right)
        case ast.BoolOp(operator, values):
            yield node, ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            for value in values:
                yield node, value
        case ast.Constant(value) if isinstance(value, (bool, int, float)):
            yield node, ast.Constant(not value if isinstance(value, bool) else value + 1)
        case ast.Expr(ast.Call()):
            yield node, ast.Pass()
        case ast.Call(function, arguments, keywords):
            method = isinstance(function, ast.Attribute) and getattr(function.value, "id", None) not in modules
            if method or (arguments and not isinstance(arguments[0], ast.Starred)):
                yield node, function.value if method else arguments[0]  # a removed call
            if len(arguments) > 1 and not any(isinstance(a, ast.Starred) for a in arguments[:2]):
                yield node, ast.Call(function, [arguments[1], arguments[0], *arguments[2:]], keywords)
    conditions = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While)) else getattr(node, "ifs", [])
    for test in conditions:
        if not isinstance(test, (ast.Compare, ast.UnaryOp)):
            yield test, ast.UnaryOp(ast.Not(), test)


def nodes_of(node):
    """The nodes of a tree that may be changed."""
    if (
        isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom))
        or (isinstance(node, ast.keyword) and node.arg in ("samples", "strict"))
        or (isinstance(node, ast.FunctionDef) and any(getattr(n, "arg", None) == "r" for n in ast.walk(node)))
    ):
        return  # a function with an argument r makes samples from a random generator
    yield node
    for name, child in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for item in child if isinstance(child, list) else [child]:
                if isinstance(item, ast.AST):
                    yield from nodes_of(item)


def replaced(source, node, text):
    lines = source.encode().splitlines(keepends=True)  # columns count bytes
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    text = text if isinstance(node, ast.stmt) else f"({text})"
    return (source.encode()[:start] + text.encode() + source.encode()[end:]).decode()


def mutants_of(file):
    source = (ROOT / file).read_text()
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {alias.asname or alias.name for node in imports for alias in node.names}
    seen = {ast.unparse(tree)}
    for node in nodes_of(tree):
        for old, new in mistakes(node, modules):
            mutated = replaced(source, old, ast.unparse(new))
            if (plain := ast.unparse(ast.parse(mutated))) not in seen:
                seen.add(plain)
                yield Mutant(file, old.lineno, old.col_offset, f"{ast.unparse(old)} → {ast.unparse(new)}", mutated)


def sample(count, seed=0):
    """`count` of all mutants in random order, all of them where count is 0. A change of the source changes few."""

    def rank(mutant):
        code = mutant.source.splitlines()[mutant.line - 1].strip()
        return hashlib.sha256(f"{seed} {mutant.file} {code} {mutant.change}".encode()).digest()

    return sorted((mutant for file in TESTS for mutant in mutants_of(file)), key=rank)[: count or None]


def copy_of_the_tree(folder):
    for name in ("minigrad", "l2l", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "lessons"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def run_tests(folder, tests):
    """What became of the mistake in this copy, and the line of pytest's summary that says so."""
    # -B: a file changed twice within a second would otherwise be taken for the compiled file of the first change.
    command = [sys.executable, "-B", "-m", "pytest", "-o", "addopts=--import-mode=importlib", "-x", "-q"]
    command += ["-p", "no:cacheprovider", "-m", "not slow", *tests]
    # Kernels are not mutated, and need not be compiled; other libraries' plugins take longer to import than a test.
    environment = {**os.environ, "MINIGRAD_NUMBA": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, preexec_fn=_limit)
    if done.returncode < 0:
        return "died", ""
    summary = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return ("killed" if done.returncode else "survived"), (summary or [done.stderr[-200:]])[0]


def _limit():
    resource.setrlimit(resource.RLIMIT_CPU, (ENDLESS, ENDLESS))


def run(mutants):
    """(mutant, outcome, by which test) for one mutant after another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_tree(folder)
        for mutant in mutants:
            path = folder / mutant.file
            right = path.read_text()
            path.write_text(mutant.source)
            yield mutant, *run_tests(folder, TESTS[mutant.file])
            path.write_text(right)


def main(count=400):
    done = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    found = {tuple(row["mutant"]): row["outcome"] for row in done if row["outcome"] != "survived"}
    mutants = sample(count)
    todo = [mutant for mutant in mutants if mutant[:4] not in found]
    with tempfile.TemporaryDirectory() as name:
        copy_of_the_tree(Path(name))
        for tests in {tuple(tests) for tests in TESTS.values()}:
            outcome, line = run_tests(name, tests)
            if outcome != "survived":
                raise SystemExit(f"without any mistake the tests must pass: {outcome}: {line}")
    with LOG.open("a") as log:
        for k, (mutant, outcome, by) in enumerate(run(todo), 1):
            found[mutant[:4]] = outcome
            print(json.dumps({"mutant": mutant[:4], "outcome": outcome, "by": by}), file=log, flush=True)
            print(f"{k}/{len(todo)} {outcome:8} {mutant.file}:{mutant.line}  {mutant.change}", flush=True)
    survivors = [mutant for mutant in mutants if found[mutant[:4]] == "survived"]
    for mutant in survivors:
        print(f"survived: {mutant.file}:{mutant.line}  {mutant.change}")
    print(f"mistakes planted: {len(mutants)}, noticed: {len(mutants) - len(survivors)}")
    return len(survivors) / len(mutants)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
