"""Search: a person's records nearest to a query, as the default search sees them.

It leans on the states of `hybrid`, or of `bm25` where nothing embeds, so a deployment that answers
with these keeps nothing besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipse.errors import Conflict
from ipse.lm import LM
from ipse.methods import finish
from ipse.methods.bm25 import Bm25
from ipse.methods.hybrid import Hybrid
from ipse.records import Record
from ipse.retrieval import BM25, blend, top
from ipse.views import Views

__all__ = ["Found", "search"]


@dataclass(frozen=True)
class Found:
    """A record that was found.

    Attributes:
        record: The record.
        score: How far it stands out among the person's records, in (0, 1): one half is the mean,
            and what is better has more.
    """

    record: Record
    score: float


def search(views: Views, lm: LM, user: str, query: str, count: int) -> list[Found]:
    """Give the records of a person that are nearest to a query, the best first.

    Args:
        views: Gives people, and what was learned of them.
        lm: What embeds the query.
        user: Who; nobody has none.
        query: What is looked for.
        count: How many at most.

    Returns:
        The records, of those that may be read for an answer.

    Raises:
        Conflict: If the person's records changed meanwhile.
    """
    revision, view = views.view(user)
    if view is None:
        return []
    method = Hybrid() if lm.embedder else Bm25()
    state = views.learned(method, view).state
    if state is None:
        return []
    if isinstance(method, Hybrid):
        scores: NDArray[np.floating] = finish(method.scores(query, state), lm)
    else:
        by_words = BM25.from_arrays(state.arrays, len(state.lineage)).scores(query)
        scores = blend(by_words, by_words, 1.0)
    found = [
        Found(view.record(state.lineage[place]), float(1 / (1 + np.exp(-scores[place]))))
        for place in top(scores, count)
    ]
    if views.view(user)[0] != revision:
        raise Conflict(f"the records of {user!r} changed while they were searched. Ask again")
    return found
