"""One person's data as one zip file, and reading such a file without trusting it.

    manifest.json                   format, user, counts, the sha256 of every other member
    records.jsonl                   one record a line, oldest first
    states.jsonl                    one state a line, oldest first
    replies.jsonl                   one reply a line, oldest first; not there where there is none
    artifacts/<hash>.safetensors    the states' arrays

Members are stored, not compressed, so an archive never unpacks to more than its own size: there
are no zip bombs. Nothing is ever unpacked by name: there are no paths to escape from. The hashes
guard against damage, not against an owner who rewrites them; a record or a state is checked like
any other that comes from outside.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

from ipse import tensors
from ipse.errors import InvalidFile, InvalidRecord, StoreFailure
from ipse.records import Record
from ipse.state import SavedState, State, StateKey
from ipse.store.schema import micros, moment
from ipse.store.sourced import Sourced
from ipse.store.values import Manifest

__all__ = ["Archive", "Standing", "read_archive", "write_archive"]

Standing: TypeAlias = Literal["current", "previous", "replaced"]
"""Whether a state is used, kept to go back to, or there because another was made from it."""

_FORMAT = 1
_MEMBER = re.compile(r"(records|states|replies)\.jsonl|artifacts/[0-9a-f]{64}\.safetensors")
_SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class Archive:
    """What an archive holds, all of it checked.

    Attributes:
        manifest: What it says of itself.
        records: The records, oldest first.
        states: The states with their arrays, oldest first, each with its standing.
        replies: The replies, oldest first.
    """

    manifest: Manifest
    records: tuple[Record, ...]
    states: tuple[tuple[SavedState, Standing], ...] = ()
    replies: tuple[Sourced, ...] = ()


def write_archive(
    path: Path,
    user_id: str,
    records: Iterable[Record],
    states: Iterable[tuple[SavedState, Standing]],
    replies: Sequence[Sourced] = (),
) -> Manifest:
    """Write one person's data; the same data gives the same bytes.

    Args:
        path: Where to; a file that is there is replaced.
        user_id: Whose data it is.
        records: The records, oldest first.
        states: The states with their arrays, oldest first, each with its standing.
        replies: The replies, oldest first.

    Returns:
        What was written.

    Raises:
        StoreFailure: If the disk refuses.
    """
    lines, learned = [record.to_json() for record in records], list(states)
    members = {
        "records.jsonl": _lines(lines),
        "states.jsonl": _lines(_state_json(*one) for one in learned),
    }
    if replies:  # an older Ipse reads an export that holds none
        members["replies.jsonl"] = _lines(reply.to_json() for reply in replies)
    for saved, _ in learned:
        if saved.state.artifact is not None:
            members[_member(saved.state.artifact)] = tensors.pack(saved.state.arrays)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    manifest = Manifest(user_id, len(lines), len(learned), hashes, len(replies))
    members["manifest.json"] = _manifest_json(manifest)
    tensors.replace_file(path, _zipped(members))
    return manifest


def read_archive(path: Path) -> Archive:
    """Read an archive and check every byte of it.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        InvalidFile: If it is not whole, not ours, or not what its manifest says.
    """
    with _blaming(path):
        members = _members(path)
        manifest = _manifest(members.pop("manifest.json", b"null"))
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
        if hashes != manifest.members:
            wrong = sorted(name for name, _ in hashes.items() ^ manifest.members.items())
            raise ValueError(f"{wrong[0]} is not what the manifest says")
        records = tuple(_parsed(members["records.jsonl"], Record.from_json))
        states = tuple(_parsed(members["states.jsonl"], lambda data: _state(data, members)))
        replies = tuple(_parsed(members.get("replies.jsonl", b""), Sourced.from_json))
        _check_agreement(manifest, records, states, replies)
    return Archive(manifest, records, states, replies)


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a stranger's file is read into one error."""
    wrong = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
    unread = (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError)
    try:
        yield
    except (*wrong, *unread, InvalidRecord, StoreFailure) as error:
        raise InvalidFile(
            f"{path} is not a whole export of one person: {error}. "
            "Nothing was written; export again with: ipse export"
        ) from error


def _members(path: Path) -> dict[str, bytes]:
    """Read the members, which must be ours by name, stored, and no larger than the file."""
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as file:
        infos = file.infolist()
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise ValueError("it says to hold more than its own size")
        for info in infos:
            if info.filename in members or not _is_ours(info.filename):
                raise ValueError(f"it holds {info.filename!r}, or holds it twice")
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{info.filename} is compressed; pack with: zip -0")
            members[info.filename] = file.read(info)
    return members


def _is_ours(name: str) -> bool:
    return name == "manifest.json" or _MEMBER.fullmatch(name) is not None


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, data in sorted(members.items()):
            file.writestr(zipfile.ZipInfo(name), data)  # no clock: 1980, so bytes are repeatable
    return buffer.getvalue()


def _member(artifact: str) -> str:
    return f"artifacts/{artifact}{_SUFFIX}"


def _lines(items: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def _parsed(data: bytes, parse: Callable[[Any], Any]) -> Iterator[Any]:
    for line in data.splitlines():
        yield parse(json.loads(line, parse_constant=_no_number))


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _manifest_json(manifest: Manifest) -> bytes:
    data = {
        "format": _FORMAT,
        "user": manifest.user,
        "records": manifest.records,
        "states": manifest.states,
        "members": dict(manifest.members),
        **({"replies": manifest.replies} if manifest.replies else {}),
    }
    return json.dumps(data, indent=1, sort_keys=True).encode()


def _manifest(data: bytes) -> Manifest:
    fields = json.loads(data)
    if not isinstance(fields, dict) or fields.pop("format", None) != _FORMAT:
        raise ValueError(f"it has no manifest of format {_FORMAT}")
    return Manifest(**fields)


def _check_agreement(
    manifest: Manifest,
    records: tuple[Record, ...],
    states: tuple[tuple[SavedState, Standing], ...],
    replies: tuple[Sourced, ...],
) -> None:
    owners = {record.user for record in records} | {saved.key.user for saved, _ in states}
    owners |= {each.reply.user for each in replies}
    if not records or owners != {manifest.user}:
        raise ValueError(f"not everything in it is of user {manifest.user!r}")
    own = {record.id for record in records}
    if not all(own.issuperset(saved.state.lineage) for saved, _ in states):
        raise ValueError("a state in it was made from a record that is not")
    if not all(own.issuperset((*each.reply.read, *chain(*each.own.values()))) for each in replies):
        raise ValueError("a reply in it was made from a record that is not")
    if len({saved.id for saved, _ in states}) != len(states):
        raise ValueError("two of its states have one id")
    if len({each.reply.id for each in replies}) != len(replies):
        raise ValueError("two of its replies have one id")
    said = manifest.records, manifest.states, manifest.replies
    if (len(records), len(states), len(replies)) != said:
        raise ValueError("the counts of records, states and replies are not the manifest's")
    named = {_member(saved.state.artifact) for saved, _ in states if saved.state.artifact}
    if named != {name for name in manifest.members if name.endswith(_SUFFIX)}:
        raise ValueError("the artefacts are not those of the states")


def _state_json(saved: SavedState, standing: Standing) -> dict[str, Any]:
    # Only where it is so: an older Ipse reads an export that holds no previous states.
    previous = {"previous": True} if standing == "previous" else {}
    return {
        "id": saved.id,
        "method": saved.key.method,
        "settings": saved.key.settings,
        "user": saved.key.user,
        "base": saved.key.base,
        "facts": dict(saved.state.facts),
        "seen": saved.state.seen,
        "artifact": saved.state.artifact,
        "lineage": list(saved.state.lineage),
        "parents": list(saved.parents),
        "made": micros(saved.made),
        "current": standing == "current",
        **previous,
    }


def _state(data: Mapping[str, Any], members: Mapping[str, bytes]) -> tuple[SavedState, Standing]:
    fields = dict(data)
    names = [fields.pop(name) for name in ("method", "settings", "user", "base")]
    texts = [*names, fields["id"], *fields["lineage"], *fields["parents"]]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise TypeError("a name in states.jsonl is not text")
    artifact = fields.pop("artifact")
    standing = _standing(fields.pop("current"), fields.pop("previous", False))
    if not (isinstance(fields["facts"], dict) and fields["id"]):
        raise TypeError("a line of states.jsonl is no state")
    state = State(
        facts=fields.pop("facts"),
        arrays={} if artifact is None else _arrays(artifact, members),
        lineage=tuple(fields.pop("lineage")),
        seen=int(fields.pop("seen")),
        artifact=artifact,
    )
    made, made_from = moment(fields.pop("made")), tuple(fields.pop("parents"))
    return SavedState(StateKey(*names), state, made_from, made, **fields), standing


def _standing(current: object, previous: object) -> Standing:
    if not (isinstance(current, bool) and isinstance(previous, bool)) or (current and previous):
        raise TypeError("a line of states.jsonl is no state")
    return "current" if current else "previous" if previous else "replaced"


def _arrays(artifact: str, members: Mapping[str, bytes]) -> dict[str, NDArray[Any]]:
    arrays = tensors.unpack(members[_member(artifact)], _member(artifact))
    if not arrays or tensors.content_hash(arrays) != artifact:
        raise ValueError(f"the arrays of {_member(artifact)} do not have that content hash")
    return arrays
