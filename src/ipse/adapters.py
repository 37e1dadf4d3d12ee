"""Adapters as folders that PEFT and vLLM read, with a manifest of ours beside the weights.

    adapter_config.json         PEFT's configuration
    adapter_model.safetensors   PEFT's tensors
    ipse.json                   what it is: its content hash, method, settings, lineage, gate, ...
    README.md                   the same for people

A folder appears whole or not at all, and is never overwritten. What is read is safetensors only: a
pickle runs whatever whoever made it wants, so it is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ipse import tensors
from ipse.errors import InvalidFile, StoreFailure, UsageError
from ipse.peft_form import adapter_of, from_peft, to_peft
from ipse.tensors import Arrays

__all__ = ["Folder", "Manifest", "read_adapter", "write_adapter"]

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_MANIFEST, _CARD = "ipse.json", "README.md"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Manifest:
    """What an adapter is.

    Attributes:
        method: The method that made it.
        base: The model it changes, with what identifies its weights.
        settings: The method's settings, or the hash of them where no more is known.
        user: Whose it is; None is everyone's, or left out.
        records: From how many records it was made.
        lineage: Their ids; empty where they are left out.
        artifacts: The content-hashed names of what it was put together from, in the store.
        parents: The ids of the states it was made from.
        facts: What the method noted: how learning went, and what the gate decided.
        made: When, in UTC.
        name: The hash of its content; set when it is written.
    """

    method: str = ""
    base: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    user: str | None = None
    records: int = 0
    lineage: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    made: str = ""
    name: str = ""

    def anonymous(self) -> Manifest:
        """Give the same without the person's id and the ids of their records."""
        return replace(self, user=None, lineage=())


@dataclass(frozen=True, eq=False)
class Folder:
    """An adapter that was read.

    Attributes:
        arrays: The adapter, as `ipse.lm.Loader` describes it.
        base: The name of the model it changes, as the folder gives it.
        manifest: What it is, where Ipse wrote it.
    """

    arrays: Arrays
    base: str
    manifest: Manifest | None = None


def write_adapter(folder: Path, arrays: Arrays, manifest: Manifest, part: str = "") -> Manifest:
    """Write an adapter as a folder: whole, or after a crash not at all.

    Args:
        folder: Where to; nothing may be there yet.
        arrays: The arrays of a state that holds an adapter.
        manifest: What it is.
        part: Which of several things the state holds; "" is the state itself.

    Returns:
        The manifest as it is written.

    Raises:
        UsageError: If something is there already.
        StoreFailure: If the disk refuses.
    """
    adapter = adapter_of(arrays, part)
    config, weights = to_peft(adapter, manifest.base.partition("@")[0])
    manifest = replace(manifest, name=tensors.content_hash(adapter))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{str(folder)!r} is there already, and adapters are never overwritten")
    folder = folder.absolute()
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}.tmp")
    try:
        draft.mkdir(mode=0o700, parents=True)
        try:
            tensors.write(draft / _WEIGHTS, weights)
            tensors.replace_file(draft / _CONFIG, _json(config))
            tensors.replace_file(draft / _MANIFEST, _json(asdict(manifest)))
            tensors.replace_file(draft / _CARD, _card(manifest, config).encode())
            os.rename(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        tensors.sync_folder(folder.parent)
    except OSError as error:
        raise StoreFailure(f"cannot write {folder}: {error}") from error
    return manifest


def read_adapter(folder: Path) -> Folder:
    """Read an adapter from a folder that PEFT or Ipse wrote.

    Args:
        folder: The folder.

    Returns:
        The adapter.

    Raises:
        InvalidFile: If it is not whole, of another kind, a pickle, or not what its manifest says.
    """
    _refuse_pickles(folder)
    config = _read_json(folder / _CONFIG)
    try:
        arrays = from_peft(config, tensors.read(folder / _WEIGHTS))
    except FileNotFoundError as error:
        raise InvalidFile(f"there is no {_WEIGHTS} in {str(folder)!r}") from error
    except (StoreFailure, InvalidFile) as error:
        raise InvalidFile(f"cannot read the adapter in {str(folder)!r}: {error}") from error
    manifest = _manifest(folder / _MANIFEST)
    # What is added between the matrices is read as one rank more, and so has another hash.
    exact = manifest is not None and not config.get("lora_bias")
    if manifest and exact and tensors.content_hash(arrays) != manifest.name:
        raise InvalidFile(
            f"{str(folder / _WEIGHTS)!r} is damaged: its content is not {manifest.name!r}, as "
            f"{_MANIFEST} says. Export it again"
        )
    return Folder(arrays, str(config.get("base_model_name_or_path") or ""), manifest)


def _refuse_pickles(folder: Path) -> None:
    if folder.suffix in _PICKLES:
        raise InvalidFile(_pickled(folder))
    if not folder.is_dir():
        raise InvalidFile(f"{str(folder)!r} is no folder with an adapter")
    if not (folder / _WEIGHTS).exists():
        for path in sorted(folder.iterdir()):
            if path.suffix in _PICKLES:
                raise InvalidFile(_pickled(path))


def _pickled(path: Path) -> str:
    return (
        f"{str(path)!r} is a pickle, which runs any code when it is read: refused. Where you trust "
        "it, save it anew as safetensors: PeftModel.from_pretrained(...).save_pretrained(...)"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InvalidFile(f"there is no {path.name} in {str(path.parent)!r}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidFile(f"cannot read {str(path)!r}: {error}") from error
    if not isinstance(found, dict):
        raise InvalidFile(f"{str(path)!r} is no JSON object")
    return found


def _manifest(path: Path) -> Manifest | None:
    if not path.exists():
        return None
    data = _read_json(path)
    known = {each.name for each in fields(Manifest)}
    listed = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return Manifest(**{n: v for n, v in {**data, **listed}.items() if n in known})


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, indent=2, sort_keys=True).encode() + b"\n"


def _card(manifest: Manifest, config: Mapping[str, Any]) -> str:
    """Write what a person who finds the folder needs to know."""
    base = config["base_model_name_or_path"]
    gate = manifest.facts.get("gate") or {}
    lines = {
        "content hash": manifest.name,
        "method": manifest.method,
        "settings": json.dumps(dict(manifest.settings), sort_keys=True),
        "base model": manifest.base,
        "of": manifest.user or "not named",
        "made from": f"{manifest.records:,} records",
        "made": manifest.made,
        "gate": gate.get("why", "none"),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in lines.items())
    return (
        f"---\nbase_model: {base}\nlibrary_name: peft\ntags: [ipse, {config['peft_type'].lower()}]"
        f"\n---\n\n# {manifest.method or 'adapter'} {manifest.name[:8]}\n\n"
        f"An adapter for `{base}`, made by Ipse from what people wrote: keep it as you would keep "
        f"their texts.\n\n| | |\n|---|---|\n{rows}\n\n"
        "Load it with PEFT, `PeftModel.from_pretrained(model, folder)`, or with vLLM, "
        "`--enable-lora --lora-modules NAME=FOLDER`. Forgetting a record in Ipse does not reach "
        "this copy.\n"
    )
