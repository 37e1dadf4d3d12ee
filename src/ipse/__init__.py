"""Ipse: one language model, everyone's own.

from ipse import Ipse

me = Ipse()
me.remember("ada", "I am allergic to nuts.")
me.ask("ada", "What should I bake?")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipse.engine import Ipse
    from ipse.errors import IpseError
    from ipse.plan import Plan, Sampling
    from ipse.records import Record, User
    from ipse.replies import Answer
    from ipse.state import State

__all__ = [
    "Answer",
    "Ipse",
    "IpseError",
    "Plan",
    "Record",
    "Sampling",
    "State",
    "User",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "Answer": "replies",
    "Ipse": "engine",
    "IpseError": "errors",
    "Plan": "plan",
    "Record": "records",
    "Sampling": "plan",
    "State": "state",
    "User": "records",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import ipse` alone costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ipse' has no attribute {name!r}")
    return getattr(import_module(f"ipse.{_HOMES[name]}"), name)
