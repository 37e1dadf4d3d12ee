"""The rules of the house, as tests: see docs/design.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ipse
from ipse.methods import METHODS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ipse"
FILES = sorted(SOURCE.rglob("*.py"))

FLOORS = (
    {
        "errors",
        "records",
        "plan",
        "job",
        "loss",
        "state",
        "lm",
        "text",
        "cache",
        "spec",
        "meter",
        "patience",
        "preferences",
        "queries",
    },
    {"retrieval", "rewards", "tensors", "adapters", "peft_form"},
    {"store", "methods", "backends", "importers"},
    {
        "engine",
        "lifecycle",
        "settings",
        "ingest",
        "exporting",
        "replies",
        "feedback",
        "route",
        "running",
        "construct",
        "searching",
        "questions",
        "views",
    },
    {"evaluation"},
    {"server"},
    {"cli"},
)
LINES = 300
LINES_WITH_A_REASON = 500
REASON = "# Over 300 lines because "


def name_of(path):
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text()) for path in FILES}


def room_of(module):
    """The folder a module is in; files of one floor that are in no folder share a room."""
    part = module.split(".")[1]
    return part if (SOURCE / part).is_dir() else f"floor {floor_of(module)}"


def floor_of(module):
    part = module.split(".")[1]
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def imports(tree):
    """The modules of ours that a tree imports, each with the node that does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ipse"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in TREES else node.module), node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("ipse"):
                    yield alias.name, node


@pytest.mark.parametrize("module", [name for name in TREES if name != "ipse"])
def test_imports_go_down(module):
    for target, node in imports(TREES[module]):
        same_room = room_of(module) == room_of(target)
        assert same_room or floor_of(target) < floor_of(module), (
            f"{module}:{node.lineno} (floor {floor_of(module)}) imports {target} "
            f"(floor {floor_of(target)})"
        )


def test_of_the_server_only_the_comparison_reads_what_was_evaluated():
    readers = {
        module
        for module, tree in TREES.items()
        if module.startswith("ipse.server")
        and any(target.startswith("ipse.evaluation") for target, _ in imports(tree))
    }
    assert readers <= {"ipse.server.page.results"}


def test_there_is_no_import_cycle():
    wanted = {name: {t for t, _ in imports(tree)} - {name} for name, tree in TREES.items()}
    del wanted["ipse"]  # imports for type checkers only
    while free := [name for name, targets in wanted.items() if not targets & wanted.keys()]:
        for name in free:
            del wanted[name]
    assert not wanted, f"these import each other: {sorted(wanted)}"


@pytest.mark.parametrize("module", TREES)
def test_nothing_of_ours_is_imported_inside_a_function(module):
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef):
            assert not list(imports(node)), f"{module}:{node.lineno} imports inside {node.name}"


@pytest.mark.parametrize("path", FILES, ids=[name_of(path) for path in FILES])
def test_a_file_can_be_read_in_one_sitting(path):
    text = path.read_text()
    limit = LINES_WITH_A_REASON if REASON in text else LINES
    assert len(text.splitlines()) <= limit


@pytest.mark.parametrize("module", TREES)
def test_all_is_there_and_sorted(module):
    names = [
        [element.value for element in node.value.elts]
        for node in TREES[module].body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    assert names == [sorted(found, key=order) for found in names]
    empty = len(TREES[module].body) <= 1
    assert names or empty or ".migrations" in module, f"{module} has no __all__"


def order(name):
    """Constants, then classes, then functions, as ruff sorts them."""
    if name.isupper():
        return (0, name)
    return (1, name) if name[0].isupper() else (2, name)


@pytest.mark.parametrize("module", TREES)
def test_nothing_is_forbidden(module):
    """No print, no super, no hasattr: what is said goes through the command line or a logger."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "super", "hasattr"), f"{module}:{node.lineno}"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_one_file_one_class_one_name(name):
    cls = METHODS[name]
    assert cls.name == name
    assert cls.__module__ == f"ipse.methods.{name.replace('-', '_')}"
    card = ROOT / "docs" / "methods" / f"{name}.md"
    assert card.is_file(), f"write {card}"
    assert len(card.read_text().splitlines()) <= 80


def test_torch_lives_in_the_local_backend_alone():
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heavy = {name.split(".")[0] for name in names} & {"torch", "transformers", "gguf"}
            assert not heavy or module.startswith("ipse.backends.local"), f"{module}: {heavy}"


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_importing_ipse_is_light():
    code = "import sys, ipse; print([m for m in ('torch', 'numpy', 'rich') if m in sys.modules])"
    assert run_python(code) == "[]"
    timed = "import time; t = time.perf_counter(); import ipse; print(time.perf_counter() - t)"
    assert min(float(run_python(timed)) for _ in range(3)) < 0.2


def test_the_engine_needs_no_torch_until_a_model_runs():
    code = (
        "import sys; from ipse import Ipse; from ipse.backends import open_backend; "
        "open_backend('echo'); print('torch' in sys.modules)"
    )
    assert run_python(code) == "False"


@pytest.mark.parametrize("name", ipse.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ipse, name) is not None


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Ispe'"):
        _ = ipse.Ispe
