"""A small run for everybody: what it measures is nonsense, how it measures is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipse.evaluation.grid import Grid
from ipse.evaluation.ledger import Run, read_run
from ipse.evaluation.run import run
from tests.evaluation.judgements import write_judgements
from tests.evaluation.models import HashModel

GRID = Grid(
    ("ukpconvarg-reason:items=2,words=5,fit=2",),
    ("recent:k=2", "recent", "facets"),
    measures=("nats", "write"),
    people=3,
    batch=4,
)


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    """A data folder with the small judgement file."""
    return write_judgements(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def model() -> HashModel:
    """A model that scores and writes by hashes."""
    return HashModel()


@pytest.fixture(scope="session")
def folder(root, model, tmp_path_factory) -> Path:
    """The folder of a run that ended."""
    out = tmp_path_factory.mktemp("run")
    run(GRID, out, [model], root=root)
    return out


@pytest.fixture(scope="session")
def found(folder) -> Run:
    """What the run found."""
    return read_run(folder)
