"""Named arrays as safetensors: hashed by content, written whole or not at all, read in place.

The bytes are written by `safetensors` and read here, because its numpy reader copies every array
and ours maps a large file and shares the bytes of a small one. This file knows nothing of states,
people, databases or torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ipse.errors import StoreFailure

__all__ = [
    "Arrays",
    "content_hash",
    "pack",
    "read",
    "replace_file",
    "sync_folder",
    "unpack",
    "write",
]

Arrays = Mapping[str, NDArray[Any]]

_TYPES = {
    "BOOL": "bool", "C64": "complex64",
    "F16": "float16", "F32": "float32", "F64": "float64",
    "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
}  # fmt: skip
_HEADER = 8  # the bytes that say how long the JSON header is
_MAPPED = 4 * 2**20  # bytes; a map may hold a descriptor, and a process has few of those


def content_hash(arrays: Arrays) -> str:
    """Give the sha256 of names, types, shapes and values: equal arrays, in any order, hash equal.

    It is made of the content and not of the file, so no release of safetensors can change a name.

    Args:
        arrays: The arrays by name.

    Returns:
        64 hexadecimal digits.

    Raises:
        StoreFailure: If a name or a type has no place in safetensors.
    """
    digest = hashlib.sha256()
    for name, array in sorted(_canonical(arrays).items()):
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode() + b"\n")
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def pack(arrays: Arrays) -> bytes:
    """Give arrays as the bytes of a safetensors file; the same arrays give the same bytes."""
    return save(dict(sorted(_canonical(arrays).items())))


def unpack(data: bytes | mmap.mmap, where: str = "these bytes") -> dict[str, NDArray[Any]]:
    """Read arrays from the bytes of a safetensors file, without copying them.

    Args:
        data: The bytes.
        where: What the bytes are, for the message.

    Returns:
        The arrays by name, read only.

    Raises:
        StoreFailure: If the bytes are not a whole safetensors file of types numpy has.
    """
    try:
        return _arrays(data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreFailure(f"{where} is not a whole safetensors file: {error}") from error


def write(path: Path, arrays: Arrays) -> None:
    """Write arrays as one safetensors file: after a crash the whole file is there, or none of it.

    Args:
        path: Where to; a file that is there is replaced.
        arrays: The arrays by name.

    Raises:
        StoreFailure: If the arrays have no place in safetensors or the disk refuses.
    """
    replace_file(path, pack(arrays))


def read(path: Path, expected: str | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays from a safetensors file: a large one is mapped into memory, a small one read.

    Before Python 3.13 every map holds a descriptor, so the caller bounds how many large ones live.

    Args:
        path: The file.
        expected: The content hash it must have; None takes the content as it is.

    Returns:
        The arrays by name, read only. They stay readable if the file is deleted.

    Raises:
        FileNotFoundError: If there is no such file; what that means is the caller's to say.
        StoreFailure: If it is not a whole safetensors file, or not of the expected content.
    """
    try:
        data = _bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreFailure(f"cannot read {path}: {error}") from error
    arrays = unpack(data, str(path))
    if expected is not None and (found := content_hash(arrays)) != expected:
        raise StoreFailure(f"{path} is damaged: its content hash is {found}, not {expected}")
    return arrays


def replace_file(path: Path, data: bytes, only_over: bool = False) -> bool:
    """Put bytes under a name, durably: a reader or a crash sees the old file or the new one.

    Args:
        path: Where to. The file is readable by its owner only.
        data: What to write.
        only_over: Write nothing where no old file is left by the time the new one is ready.

    Returns:
        Whether it was written.

    Raises:
        StoreFailure: If the disk refuses.
    """
    draft = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if only_over and not path.exists():
                return False
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreFailure(f"cannot write {path}: {error}") from error
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; a file's own fsync does not cover its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _bytes(path: Path) -> bytes | mmap.mmap:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _MAPPED:
            return file.read()
        if sys.version_info >= (3, 13):
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, trackfd=False)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _canonical(arrays: Arrays) -> dict[str, NDArray[Any]]:
    if "__metadata__" in arrays:
        raise StoreFailure("safetensors keeps the name '__metadata__' for itself; choose another")
    return {name: _plain(name, np.asarray(array, order="C")) for name, array in arrays.items()}


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.name not in _TYPES.values():
        known = ", ".join(sorted(_TYPES.values()))
        raise StoreFailure(f"array {name!r} is of type {array.dtype}. Known types: {known}")
    return array.astype(_little(array.dtype), copy=False)


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give a type in safetensors' byte order."""
    native = np.dtype(dtype.type)
    # Where it is the machine's own order, a type that spells it out takes numpy's slow paths.
    return native if sys.byteorder == "little" else native.newbyteorder("<")


def _arrays(data: bytes | mmap.mmap) -> dict[str, NDArray[Any]]:
    """Walk the header in the order of the data, which must leave no byte unaccounted for."""
    header, offset = _header(data)
    arrays = {}
    base = offset
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["dtype"] not in _TYPES:
            raise ValueError(f"array {name!r} is of type {entry['dtype']!r}, which numpy has not")
        dtype, shape = _little(np.dtype(_TYPES[entry["dtype"]])), tuple(entry["shape"])
        end = offset + dtype.itemsize * math.prod(shape)
        if [offset - base, end - base] != entry["data_offsets"] or end > len(data):
            raise ValueError(f"array {name!r} is not where the header says")
        arrays[name] = np.ndarray(shape, dtype, buffer=data, offset=offset)
        arrays[name].flags.writeable = False
        offset = end
    if offset != len(data):
        raise ValueError(f"{len(data) - offset} bytes belong to no array")
    return arrays


def _header(data: bytes | mmap.mmap) -> tuple[dict[str, Any], int]:
    start = _HEADER + int.from_bytes(bytes(data[:_HEADER]), "little")
    if len(data) < _HEADER or start > len(data):
        raise ValueError(f"{len(data)} bytes are too few")
    header = json.loads(bytes(data[_HEADER:start]))
    if not isinstance(header, dict):
        raise TypeError("its header is not a mapping")
    header.pop("__metadata__", None)
    return header, start
