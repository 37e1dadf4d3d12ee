"""Search through one person's records. Its cost does not know how many other people there are."""

from ipse.retrieval.bm25 import BM25
from ipse.retrieval.cues import named, since, spans
from ipse.retrieval.neighbors import sittings, with_neighbors
from ipse.retrieval.ranking import blend, fuse, recency, select, top
from ipse.retrieval.stems import stemmed

__all__ = [
    "BM25",
    "blend",
    "fuse",
    "named",
    "recency",
    "select",
    "since",
    "sittings",
    "spans",
    "stemmed",
    "top",
    "with_neighbors",
]
