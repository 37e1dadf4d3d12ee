"""`facets`: a profile counted, not written: habits a reader can check, without a language model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean, median
from typing import Any, ClassVar

from ipse.methods.base import Method
from ipse.plan import Plan
from ipse.records import Record, User
from ipse.state import State
from ipse.text import judged, words

__all__ = ["Facets"]

_WRITTEN = ("dialogue", "content")


@dataclass(frozen=True)
class Facets(Method):
    """Say how the person writes and rates, and which words are theirs rather than everyone's.

    Words are ranked by their log-odds against everyone's with an informative Dirichlet prior
    (Monroe, Colaresi and Quinn 2008, eq. 16 and 22), in standard deviations. Words of what a record
    answers to do not count: they are the subject's, not the person's.

    Attributes:
        words: How many of the person's own words to name.
        openings: How many of their usual beginnings to name.
        prior: How many words the prior is worth.
        people: A word enters what is kept of everyone once so many people used it.
    """

    name: ClassVar[str] = "facets"
    stores: ClassVar[str] = "counts and a few words"
    shared: ClassVar[bool] = True

    words: int = 24
    openings: int = 6
    prior: float = 500.0
    people: int = 3

    def fit(self, people: Iterable[User]) -> State | None:
        """Count everyone's words."""
        counts: Counter[str] = Counter()
        users: Counter[str] = Counter()
        lineage: list[str] = []
        for person in people:
            own = _count(_written(person))
            counts.update(own)
            users.update(own.keys())
            lineage.extend(record.id for record in _written(person))
        kept = {word: n for word, n in counts.items() if users[word] >= self.people}
        return State(facts={"counts": kept}, lineage=tuple(lineage)) if kept else None

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Count the person's habits."""
        written = _written(user)
        ratings = _ratings(user)
        facts: dict[str, Any] = {}
        if written:
            facts |= _habits(written)
            facts["openings"] = _openings(written, self.openings)
            facts["words"] = self._own_words(_count(written), shared)
        if ratings:
            facts |= {"rating": round(mean(ratings), 2), "ratings": len(ratings)}
        return State(facts=facts, lineage=tuple(r.id for r in user.records)) if facts else None

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Put the habits in front of the question."""
        del user
        return plan if state is None else plan.with_context(_say(state.facts))

    def _own_words(self, own: Counter[str], shared: State | None) -> list[str]:
        """Give the words whose use sets the person apart, by z-score."""
        if shared is None:
            return [word for word, n in own.most_common() if n >= 3 and len(word) > 3][: self.words]
        everyone: Mapping[str, int] = shared.facts["counts"]
        total, size = sum(everyone.values()), sum(own.values())
        scored = []
        for word, count in own.items():
            prior = self.prior * (everyone.get(word, 0) + 0.5) / total
            mine, others = count + prior, everyone.get(word, 0) + prior
            delta = math.log(mine / (size + self.prior - mine))
            delta -= math.log(others / (total + self.prior - others))
            scored.append((delta / math.sqrt(1 / mine + 1 / others), word))
        best = sorted(scored, reverse=True)[: self.words]
        return [word for z, word in best if z > 1.96 and own[word] >= 3]


def _written(user: User) -> list[Record]:
    return [record for record in user.records if record.kind in _WRITTEN]


def _ratings(user: User) -> list[float]:
    """Give the ratings among the interactions: outputs that are numbers; not those of replies."""
    return [
        float(record.output)
        for record in user.records
        if record.kind == "interaction"
        and judged(record) is None
        and record.output.replace(".", "", 1).isdecimal()
    ]


def _count(records: list[Record]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for record in records:
        given = set(words(record.input))
        counts.update(word for word in words(record.output) if word not in given)
    return counts


def _habits(records: list[Record]) -> dict[str, Any]:
    """Give median length in words, and the shares of records with some habits, in [0, 1]."""
    texts = [record.output.strip() for record in records]
    return {
        "length": median(len(text.split()) for text in texts),
        "lower": round(mean(text[0].islower() for text in texts), 2),
        "period": round(mean(text.endswith((".", "!", "?")) for text in texts), 2),
        "exclaims": round(mean("!" in text for text in texts), 2),
    }


def _openings(records: list[Record], count: int) -> list[str]:
    """Give the beginnings, of two words, that at least a tenth of the records share."""
    starts = Counter(" ".join(record.output.split()[:2]) for record in records)
    return [start for start, n in starts.most_common(count) if n >= max(2, 0.1 * len(records))]


def _say(facts: Mapping[str, Any]) -> str:
    """Put the habits as requests: a small model follows those better than it reads descriptions."""
    lines = ["Write and rate as this person does:"]
    if "length" in facts:
        lines.append(f"- about {facts['length']:.0f} words at a time")
        if facts["openings"]:
            lines.append("- beginning like " + " or ".join(f'"{o}"' for o in facts["openings"]))
        if facts["lower"] > 0.5:
            lines.append("- without a capital at the start")
        if facts["period"] < 0.5:
            lines.append("- without a full stop at the end")
        if facts["exclaims"] > 0.2:
            lines.append("- with exclamation marks")
        if facts["words"]:
            lines.append("- with words such as " + ", ".join(facts["words"]))
    if "rating" in facts:
        lines.append(f"- rating {facts['rating']} on average ({facts['ratings']} ratings so far)")
    return "\n".join(lines)
