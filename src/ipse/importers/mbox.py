"""A mailbox in mbox form, as Thunderbird, Apple Mail and Google Takeout write it.

    From me@example.org Mon May  6 09:00:00 2024
    From: Me <me@example.org>
    Subject: Lunch?
    Date: Mon, 6 May 2024 09:00:00 +0200

    Dear Ada, ...

Only what the person wrote is kept: mails from their addresses, without what they quote or forward.
A mail in which nothing of theirs is left is no record and no problem. The standard library's
`mailbox` indexes a whole file first and reads no gzip, so the cutting into mails is done here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

from ipse.errors import InvalidFile, UsageError
from ipse.importers.base import MAX_LINE, Line, Problem, lines, made
from ipse.importers.mailtext import from_html, own_words
from ipse.records import Record

__all__ = ["read"]

_SEPARATOR = re.compile(rb"From .{0,200}\d:\d\d.{0,60}\d{4}")
_ESCAPED = re.compile(rb"^>(>*From )")

_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What the standard library's mail and HTML parsers raise on malformed mails."""


def read(
    path: Path, *, me: str | Iterable[str], user: str | None = None
) -> Iterator[Record | Problem]:
    """Read what a person wrote in their mails: the subject as input, the body as output.

    Args:
        path: The mailbox, plain or gzip.
        me: The addresses the person writes from, in a list or with commas between.
        user: Whose records they are; the first address where it is not given.

    Returns:
        Records, and a problem for every malformed mail of theirs, by the line it starts at.

    Raises:
        UsageError: If an address is none.
    """
    given = me.split(",") if isinstance(me, str) else list(me)
    addresses = [address.strip().lower() for address in given if address.strip()]
    if not addresses or not all("@" in address for address in addresses):
        raise UsageError(f"'me' is your address or addresses, such as me@example.org; got {me!r}")
    return _records(path, frozenset(addresses), user or addresses[0])


def _records(path: Path, me: frozenset[str], user: str) -> Iterator[Record | Problem]:
    for mail in _mails(path):
        if isinstance(mail, Problem):
            yield mail
            continue
        number, raw = mail
        try:
            record = _record(path, number, message_from_bytes(raw), me, user)
        except _DAMAGE as error:
            record = Problem(str(path), number, f"not a mail that can be read: {error}")
        if record is not None:
            yield record


def _mails(path: Path) -> Iterator[Line | Problem]:
    """Cut a mailbox into mails, each with the number of the line it starts at."""
    start, mail, size, after_blank = 0, list[bytes](), 0, True
    for line in lines(path):
        if isinstance(line, Problem):
            yield line
            continue
        number, raw = line
        if after_blank and _SEPARATOR.match(raw):
            if start:
                yield _whole(path, start, mail, size)
            start, mail, size = number, [], 0
        elif start:
            size += len(raw)
            if size <= MAX_LINE:
                mail.append(_ESCAPED.sub(rb"\1", raw))
        elif raw.strip():
            raise InvalidFile(f"{path} is not an mbox file: it does not start with a 'From ' line")
        after_blank = not raw.strip()
    if start:
        yield _whole(path, start, mail, size)


def _whole(path: Path, start: int, mail: list[bytes], size: int) -> Line | Problem:
    if size > MAX_LINE:
        return Problem(str(path), start, f"a mail is at most {MAX_LINE:,} bytes; got {size:,}")
    return start, b"".join(mail)


def _record(
    path: Path, number: int, mail: Message, me: frozenset[str], user: str
) -> Record | Problem | None:
    senders = getaddresses([str(value) for value in mail.get_all("From", [])])
    if not any(address.lower() in me for _, address in senders):
        return None
    output = own_words(_body(mail))
    if not output:
        return None
    return made(
        path,
        number,
        {
            "user": user,
            "kind": "content",
            "input": _header(mail, "Subject"),
            "output": output,
            "time": _time(mail),
            "source": "mbox",
            "meta": _meta(mail),
        },
    )


def _time(mail: Message) -> datetime:
    value = mail.get("Date")
    if value is None:
        raise ValueError("it has no Date")
    time = parsedate_to_datetime(str(value))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _meta(mail: Message) -> dict[str, str]:
    named = {"message_id": "Message-ID", "in_reply_to": "In-Reply-To"}
    found = {key: _header(mail, name) for key, name in named.items()}
    return {key: value for key, value in found.items() if value}


def _header(mail: Message, name: str) -> str:
    value = str(mail.get(name, ""))
    # Where a word is in a charset nobody knows, the header as it stands says more than none.
    with suppress(*_DAMAGE):
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())


def _body(mail: Message) -> str:
    """Give the body as text: the plain part if there is one, otherwise the HTML part's text."""
    parts = list(_parts(mail))
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and (text := _decoded(part)).strip():
                return text if kind == "text/plain" else from_html(text)
    return ""


def _parts(part: Message) -> Iterator[Message]:
    # An attached mail (message/rfc822) is somebody's words, but not this mail's body.
    if part.get_content_disposition() == "attachment" or part.get_content_maintype() == "message":
        return
    payload = part.get_payload()
    if not isinstance(payload, list):
        yield part
        return
    for child in payload:
        if isinstance(child, Message):
            yield from _parts(child)


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    # ASCII is often said where UTF-8 is meant, and every ASCII text is UTF-8.
    charset = "utf-8" if charset in {"us-ascii", "ascii"} else charset
    return payload.decode(charset) if isinstance(payload, bytes) else ""
