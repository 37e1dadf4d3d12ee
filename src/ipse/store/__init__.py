"""Where records and states are kept: one database file, and a folder of artefacts beside it."""

from ipse.store.keys import Key, Keys
from ipse.store.store import Store
from ipse.store.values import (
    Added,
    ArtifactSummary,
    Imported,
    Manifest,
    Page,
    Person,
    Receipt,
    StateSummary,
    StoredReply,
)

__all__ = [
    "Added",
    "ArtifactSummary",
    "Imported",
    "Key",
    "Keys",
    "Manifest",
    "Page",
    "Person",
    "Receipt",
    "StateSummary",
    "Store",
    "StoredReply",
]
