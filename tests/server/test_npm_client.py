"""The official npm client, skipped only where it cannot be installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ipse import Ipse
from ipse.settings import Settings
from tests.people import echo, person
from tests.server.live import serving

ROOM = Path(__file__).parent / "npm"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the client installed; npm's own cache makes the second time quick."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "client.mjs"):
        shutil.copy(ROOM / name, folder)
    install = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        if os.environ.get("CI"):
            pytest.fail(done.stderr)
        pytest.skip("npm cannot install the client here")
    return folder


def test_the_npm_client_runs_every_call_it_has_for_these_endpoints(folder, tmp_path):
    with Ipse(tmp_path / "ipse.db", echo(), methods="bm25:k=2") as engine:
        engine.add([*person("ada").records, *person("bob").records])
        key, _ = engine.store.keys.create("ada")
        with serving(engine, Settings(backend="echo")) as address:
            done = subprocess.run(
                ["node", "client.mjs", address, key],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
            )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "ada finds point" in found["whole"]
    assert found["pieces"] == found["whole"] == found["helper"]
    assert found["tokens"] > 0
    assert found["completion"] == found["completed"]
    assert found["vectors"][0] == found["vectors"][1] > 1
    assert (found["models"], found["model"]) == (["ipse"], "ipse")
    assert found["errors"] == [
        ["AuthenticationError", 401, "invalid_api_key"],
        ["PermissionDeniedError", 403, "forbidden"],
        ["NotFoundError", 404, "unknown"],
        ["UnprocessableEntityError", 422, "invalid_request"],
    ]
