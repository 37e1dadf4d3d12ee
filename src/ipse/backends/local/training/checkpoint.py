"""What is half learned, on disk: the same jobs go on from there, to the same bits.

One safetensors file holds everything of all jobs. It is there from the beginning, so whoever
deletes it, such as a person's wish to be forgotten, is obeyed: it is never written again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse import tensors
from ipse.backends.local.training.run import Progress, Run
from ipse.errors import StoreFailure

__all__ = ["Checkpoint"]

_EVERY = 20.0
"""Seconds of work between two writes."""

_SHARE = 0.05
"""The most of the time that writing may take."""

_PROGRESS, _CONTENT = "progress", "content"
"""The arrays that hold how far each job is, as JSON, and the hash of all other arrays."""

_log = logging.getLogger("ipse.local")


class Checkpoint:
    """The file of some jobs that are learned together."""

    def __init__(self, scratch: Path, identity: str, runs: Mapping[str, Run]) -> None:
        """Go on from what is there, or leave a mark that it has begun.

        Args:
            scratch: The folder; made if need be.
            identity: What else the result follows from: all jobs that were asked for, the model.
            runs: The jobs, by their hash.
        """
        digest = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.path = scratch / f"training-{digest}.safetensors"
        self._runs = runs
        self._wait = _EVERY
        self._gone = False
        scratch.mkdir(parents=True, exist_ok=True)
        for draft in scratch.glob(f"{self.path.name}.*.tmp"):
            draft.unlink(missing_ok=True)  # of a process that was killed while it wrote
        if not self._restored():
            tensors.write(self.path, _packed({}))
        self._written = time.monotonic()

    def save(self) -> None:
        """Write how far everything is, if that was long ago."""
        now = time.monotonic()
        if self._gone or now - self._written < self._wait:
            return
        try:
            data = tensors.pack(_packed(self._runs))
            self._gone = not tensors.replace_file(self.path, data, only_over=True)
        except StoreFailure:
            if self.path.parent.exists():
                raise
            self._gone = True
        self._written = time.monotonic()
        self._wait = max(_EVERY, (self._written - now) / _SHARE)

    def remove(self) -> None:
        """Remove it, once everything is learned."""
        self.path.unlink(missing_ok=True)

    def _restored(self) -> bool:
        """Take over what is there; say whether anything whole was."""
        try:
            arrays = dict(tensors.read(self.path))
            content = arrays.pop(_CONTENT).tobytes().decode()
            if content != tensors.content_hash(arrays):
                raise ValueError("its content is not what was written")
            told = json.loads(arrays.pop(_PROGRESS).tobytes())
            known = {name: Progress(**each) for name, each in told.items() if name in self._runs}
            for name, progress in known.items():
                head = f"{name}/"
                state = {k.removeprefix(head): v for k, v in arrays.items() if k.startswith(head)}
                self._runs[name].restore(state, progress)
        except FileNotFoundError:
            return False
        except (StoreFailure, ValueError, KeyError, TypeError) as error:
            _log.warning("%s is damaged, so learning begins anew: %s", self.path, error)
            return False
        return True


def _packed(runs: Mapping[str, Run]) -> dict[str, NDArray[Any]]:
    arrays = {f"{n}/{key}": v for n, run in runs.items() for key, v in run.state().items()}
    arrays[_PROGRESS] = _bytes(json.dumps({n: asdict(run.progress) for n, run in runs.items()}))
    return {**arrays, _CONTENT: _bytes(tensors.content_hash(arrays))}


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
