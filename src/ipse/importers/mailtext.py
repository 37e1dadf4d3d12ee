"""What a mail's body says in its author's own words: quotes, forwards and signatures taken out.

This file knows nothing of mail formats or records; it maps text to text.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["from_html", "own_words"]

_QUOTED = re.compile(r"\s{0,3}>")

_WROTE = r"\b((wrote|a écrit|escribió|ha scritto)\s?|(schrieb|schreef)\b.{0,200}):"
_ATTRIBUTION = re.compile(rf"(On|Am|Le|El|Il|Op)\b(?=.*\d).{{4,400}}{_WROTE}", re.DOTALL)
_CREDIT = re.compile(rf".{{0,200}}({_WROTE}|<\S+@\S+>\s?:)")

_CUT = re.compile(
    r"(-{2,}\s*(original message|original-nachricht|ursprüngliche nachricht|message d'origine|"
    r"forwarded (message|by .{0,60})|weitergeleitete nachricht|message transféré|mensaje original|"
    r"mensaje reenviado|messaggio originale)\s*-{0,}|begin forwarded message:|"
    r"anfang der weitergeleiteten nachricht:|début du message (transféré|réexpédié) ?:)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\*?(from|sent|date|to|cc|subject|von|gesendet|datum|an|betreff|de|envoyé|à|objet)"
    r"\*?\s?:\*?\s*\S",
    re.IGNORECASE,
)
_SENDER = re.compile(r"\*?(from|von|de)\*?\s?:", re.IGNORECASE)
_RULE = re.compile(r"(^|\n)[_-]{10,}\Z")
_SIGNATURE = re.compile(r"--\s?")
_DEVICE = re.compile(
    r"(sent (from (my|yahoo|mail for|outlook|proton|samsung)|via (my|black)|with proton|using)|"
    r"get outlook for|von meinem .{1,40} gesendet|gesendet von (meinem|mail)|"
    r"envoyé (de|depuis) mon|enviado desde mi|inviato da|verstuurd vanaf mijn).{0,80}",
    re.IGNORECASE,
)
_HEADERS_IN_A_BLOCK = 3
_FOLDS = 3
_LONGEST_CREDIT = 400


def own_words(body: str) -> str:
    """Give what the author wrote: no quotes, attributions, forwards or signature.

    Args:
        body: A mail's body as plain text.

    Returns:
        The author's own words, "" where there are none.
    """
    lines = [line.rstrip() for line in _unified(body).split("\n")]
    kept: list[str] = []
    place = 0
    while place < len(lines) and not _ends(lines, place):
        folded = _attribution(lines, place)
        if folded and not _quote_follows(lines, place + folded):
            break
        if not folded and not _QUOTED.match(lines[place]) and not _DEVICE.fullmatch(lines[place]):
            kept.append(lines[place])
        place += folded or 1
    text = _RULE.sub("", "\n".join(kept).strip())
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def from_html(html: str) -> str:
    """Give the text of an HTML mail; a quoted block is left as one `>` line.

    Args:
        html: The mail's HTML.

    Returns:
        Its text, a line for each block.

    Raises:
        AssertionError: If it is so malformed that the standard library's parser gives up.
    """
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = "".join(parser.pieces).split("\n")
    return "\n".join(re.sub(r"[ \t]+", " ", line).strip() for line in lines)


def _unified(body: str) -> str:
    return (
        body.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").replace("\u202f", " ")
    )


def _ends(lines: list[str], place: int) -> bool:
    """Say whether nothing of the author's comes from here on."""
    line = lines[place].strip()
    if _SIGNATURE.fullmatch(line) or _CUT.fullmatch(line):
        return True
    if not _SENDER.match(line):
        return False
    block = [text.strip() for text in lines[place : place + 2 * _HEADERS_IN_A_BLOCK]]
    return sum(bool(_HEADER.match(text)) for text in block) >= _HEADERS_IN_A_BLOCK


def _attribution(lines: list[str], place: int) -> int:
    """Give how many lines, folded or not, credit somebody else's words here; 0 where none does."""
    line = lines[place].strip()
    if (
        len(line) <= _LONGEST_CREDIT
        and _CREDIT.fullmatch(line)
        and _quote_follows(lines, place + 1)
    ):
        return 1
    return _folded(lines, place)


def _folded(lines: list[str], place: int) -> int:
    """Give how many lines say "On ... wrote:" here; 0 where none does."""
    for count in range(1, _FOLDS + 1):
        folded = lines[place : place + count]
        if not folded[-1].strip() or len(folded[-1]) > _LONGEST_CREDIT:
            return 0
        if _ATTRIBUTION.fullmatch("\n".join(folded).strip()):
            # A line of the author's own may start with "On", right above the attribution.
            return 0 if count > 1 and _folded(lines, place + 1) else count
    return 0


def _quote_follows(lines: list[str], place: int) -> bool:
    rest = (lines[index] for index in range(place, len(lines)))
    return bool(_QUOTED.match(next(filter(None, rest), "")))


class _Text(HTMLParser):
    """Collects text; scripts and styles are dropped, a quote becomes one quoted line."""

    dropped = frozenset({"blockquote", "script", "style", "title"})
    blocks = frozenset({"br", "div", "h1", "h2", "h3", "h4", "hr", "li", "p", "table", "tr", "ul"})

    def reset(self) -> None:
        HTMLParser.reset(self)
        self.pieces: list[str] = []
        self.inside = ""
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if self.inside:
            self.depth += tag == self.inside
        elif tag in self.dropped:
            self.inside, self.depth = tag, 1
            self.pieces.append("\n>\n" if tag == "blockquote" else "")
        elif tag in self.blocks:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.depth -= 1
            self.inside = self.inside if self.depth else ""
        elif not self.inside and tag in self.blocks:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.pieces.append(re.sub(r"\s+", " ", data))
