"""ChatGPT's export: `conversations.json`, or the zip it comes in.

    [{"title": "...", "conversation_id": "...", "create_time": 1714550400.0, "current_node": "b",
      "mapping": {"a": {"parent": null, "message": {"author": {"role": "user"}, ...}}, ...}}]

A conversation is a tree, since every edit and every new answer is a branch. What counts is the
branch the person ended on: from `current_node` up along the parents. The file is a single JSON
value, so it is loaded whole.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, InvalidRecord
from ipse.importers.base import DAMAGED, Problem, document, made, moment, opened
from ipse.records import Record

__all__ = ["read"]

_ZIP = b"PK\x03\x04"
_NAME = re.compile(r"(.*/)?conversations(-\d+)?\.json")
_UNREAD = (zipfile.BadZipFile, *DAMAGED, ValueError, RuntimeError, LookupError)
_TEXT = ("text", "multimodal_text")


def read(path: Path, *, user: str) -> Iterator[Record | Problem]:
    """Read what the person said to ChatGPT, one dialogue record for each of their messages.

    Args:
        path: `conversations.json`, plain or gzip, or the zip of the export.
        user: Whose export it is; the file does not say.

    Yields:
        Records, and a problem for every malformed conversation or message.

    Raises:
        InvalidFile: If the file is not such an export. Where a zip has several parts, a
            broken one is a problem without a number, and the others are read.
    """
    numbers = count(1)
    for conversations in _documents(path):
        if isinstance(conversations, Problem):
            yield conversations
            continue
        if not isinstance(conversations, list):
            raise InvalidFile(f"{path} is not a list of conversations: is it conversations.json?")
        for conversation in conversations:
            yield from _conversation(path, next(numbers), conversation, user)


def _documents(path: Path) -> Iterator[Any]:
    with opened(path) as file:
        try:
            zipped = file.read(len(_ZIP)) == _ZIP
        except DAMAGED as error:
            raise InvalidFile(f"{path} is damaged or cut off: {error}") from error
    if not zipped:
        yield document(path)
        return
    try:
        yield from _unzipped(path)
    except _UNREAD as error:
        raise InvalidFile(f"cannot read the export {path}: {error}") from error


def _unzipped(path: Path) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if _NAME.fullmatch(name))
        if not names:
            raise InvalidFile(f"{path} has no conversations.json: is it ChatGPT's export?")
        for name in names:
            part = _member(path, archive, name)
            if isinstance(part, Problem) and len(names) == 1:
                raise InvalidFile(f"cannot read the export {path}: {part.reason}")
            yield part


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> list[Any] | Problem:
    try:
        conversations = json.loads(archive.read(name).decode("utf-8-sig"))
    except _UNREAD as error:
        return Problem(str(path), 0, f"{name} cannot be read: {error}")
    if not isinstance(conversations, list):
        return Problem(str(path), 0, f"{name} is not a list of conversations")
    return conversations


def _conversation(
    path: Path, number: int, conversation: Any, user: str
) -> Iterator[Record | Problem]:
    if reason := _fault(conversation):
        yield Problem(str(path), number, reason)
        return
    heard = ""
    for message in _chain(conversation["mapping"], conversation["current_node"]):
        text, role = _text(message), _author(message)
        if role == "assistant" and text:
            heard = text
        elif role == "user" and text:
            yield _record(path, number, conversation, message, user, (heard, text))


def _fault(conversation: object) -> str:
    if not isinstance(conversation, dict):
        return f"a conversation is a JSON object; got {str(conversation)[:80]!r}"
    mapping, node = conversation.get("mapping"), conversation.get("current_node")
    if not isinstance(mapping, dict):
        return "a conversation needs a 'mapping'"
    if not isinstance(node, str) or node not in mapping:
        return f"the conversation's 'current_node' {node!r} is not in its mapping"
    return ""


def _chain(mapping: Mapping[str, Any], node: object) -> list[Mapping[str, Any]]:
    """Give the messages from the root to a node, oldest first; a circle ends where it closes."""
    messages: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    while isinstance(node, str) and node in mapping and node not in seen:
        seen.add(node)
        entry = mapping[node] if isinstance(mapping[node], dict) else {}
        if isinstance(entry.get("message"), dict):
            messages.append(entry["message"])
        node = entry.get("parent")
    return messages[::-1]


def _author(message: Mapping[str, Any]) -> object:
    author = message.get("author")
    return author.get("role") if isinstance(author, dict) else None


def _text(message: Mapping[str, Any]) -> str:
    """Give what a message says in words; "" where it is hidden, a tool's, or only pictures."""
    content, metadata = message.get("content"), message.get("metadata")
    if not isinstance(content, dict) or content.get("content_type") not in _TEXT:
        return ""
    if isinstance(metadata, dict) and metadata.get("is_visually_hidden_from_conversation"):
        return ""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return ""
    return "\n\n".join(part for part in parts if isinstance(part, str) and part.strip()).strip()


def _record(
    path: Path,
    number: int,
    conversation: Mapping[str, Any],
    message: Mapping[str, Any],
    user: str,
    texts: tuple[str, str],
) -> Record | Problem:
    said = message.get("create_time")
    given = conversation.get("create_time") if said is None else said
    meta = {
        "thread": conversation.get("conversation_id", conversation.get("id")),
        "title": conversation.get("title"),
        "message": message.get("id"),
    }
    fields = {"user": user, "kind": "dialogue", "input": texts[0], "output": texts[1]}
    try:
        time = moment(given)
    except InvalidRecord as error:
        return Problem(str(path), number, f"message {meta['message']!r}: {error}")
    return made(path, number, fields | {"time": time, "source": "chatgpt", "meta": meta})
