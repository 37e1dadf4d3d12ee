"""Search through one person's records. Its cost does not know how many other people there are."""

from ipse.retrieval.bm25 import BM25
from ipse.retrieval.ranking import fuse, recency, select, top

__all__ = ["BM25", "fuse", "recency", "select", "top"]
