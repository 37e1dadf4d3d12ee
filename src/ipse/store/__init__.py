"""Where records and states are kept: one database file, and a folder of artefacts beside it."""

from ipse.store.corrections import first_version, next_version
from ipse.store.jobs import StoredJob
from ipse.store.keys import Key, Keys
from ipse.store.relearning import Relearn
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
    owner,
)
from ipse.store.writes import Outcome, Write, Writes

__all__ = [
    "Added",
    "ArtifactSummary",
    "Imported",
    "Key",
    "Keys",
    "Manifest",
    "Outcome",
    "Page",
    "Person",
    "Receipt",
    "Relearn",
    "StateSummary",
    "Store",
    "StoredJob",
    "StoredReply",
    "Write",
    "Writes",
    "first_version",
    "next_version",
    "owner",
]
