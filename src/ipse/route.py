"""`route`: the composition that suits the question, the person and the backend, request by request.

    route                             as below
    route:few=20,abstraction=profile  otherwise in part; `+`, `:`, `=` and `,` inside are written
                                      %2B, %3A, %3D and %2C

It stands where a composition stands, and is none: it is no method, but says which methods. So what
these learn is kept for each of them as it always is, whoever calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ipse.errors import UsageError
from ipse.lm import LM
from ipse.methods import Method, parse, spec
from ipse.plan import Need
from ipse.queries import EXAMPLES, KINDS, Query, QueryKind, classify, unsure
from ipse.records import User
from ipse.spec import read_settings, write_settings
from ipse.state import State

__all__ = [
    "Choice", "Route", "Router", "gate_serves", "methods_of", "read_route", "spelled", "written",
]  # fmt: skip

_NAME = "route"

Serves = Callable[[Method], bool]
"""Whether the gate of a method says that what was trained for the person serves them."""


@dataclass(frozen=True)
class Choice:
    """The composition that answers.

    Attributes:
        methods: The composition.
        kind: What the question was taken for; None where there was no choice.
        why: Why this one; "" where there was no choice.
    """

    methods: str
    kind: QueryKind | None = None
    why: str = ""


@dataclass(frozen=True)
class Route:
    """Which composition answers what, each with others after `|` for backends that lack something.

    Attributes:
        extraction: Answers what asks for a fact about the person.
        abstraction: Answers what asks to sum them up.
        generalization: Answers what asks for what they would write, choose or like.
        adapter: Answers the same where its gate says that what was trained for the person serves;
            "" is never.
        short: Answers everything of whoever has few records: all of them are read.
        few: How many are few; 0 is nobody.
    """

    extraction: str = "memory|bm25"
    abstraction: str = "facets+profile"
    generalization: str = "hybrid|bm25"
    adapter: str = "user-adapter"
    short: str = "recent:k=12"
    few: int = 12

    def __post_init__(self) -> None:
        if self.few < 0:
            raise UsageError(f"few of {_NAME!r} is a number from 0 on; got {self.few}")
        _ = self.methods  # or say what is wrong with one of them

    @property
    def methods(self) -> tuple[Method, ...]:
        """All methods that may be chosen, each once."""
        texts = (getattr(self, field.name) for field in fields(self) if field.name != "few")
        found = (m for text in texts for one in text.split("|") for m in parse(one))
        return tuple(dict.fromkeys(found))

    def choose(self, query: Query, user: User, carries: frozenset[Need], serves: Serves) -> Choice:
        """Choose a composition.

        Args:
            query: What the question was taken for.
            user: Who asks.
            carries: What the backend can do.
            serves: What gates say of the person.

        Returns:
            The choice.
        """
        asked = f"the question is one of {query.kind}: {query.why}"
        if len(user) <= self.few:
            return Choice(self.short, query.kind, f"all {len(user)} records can be read")
        if query.kind == "generalization" and self.adapter:
            trained = parse(self.adapter)
            if _carried(trained, carries) and all(map(serves, trained)):
                return Choice(self.adapter, query.kind, f"{asked}; the adapter serves")
        best, *others = getattr(self, query.kind).split("|")
        for text in (best, *others):
            if _carried(parse(text), carries):
                lack = "" if text == best else f"; the backend lacks what {best} needs"
                return Choice(text, query.kind, asked + lack)
        return Choice(best, query.kind, asked)  # the error says what is lacking


def gate_serves(state: State | None) -> bool:
    """Say whether the gate that a method learned with says that what was trained serves."""
    return state is not None and state.facts.get("gate", {}).get("serves") == "adapter"


class Router:
    """Chooses for an engine: it reads questions, and asks the embedder where they are unclear."""

    def __init__(self, lm: LM) -> None:
        """Make a router.

        Args:
            lm: The backend that will answer.
        """
        self._lm = lm
        self._examples: tuple[str, NDArray[np.float32]] | None = None

    def choose(self, route: Route, user: User, question: str, serves: Serves) -> Choice:
        """Choose the composition that answers a question; `Route.choose` says more."""
        return route.choose(self.query(question), user, self._lm.carries, serves)

    def query(self, question: str) -> Query:
        """Say what a question asks for."""
        if "embed" not in self._lm.carries or not unsure(question):
            return classify(question)
        vector = self._lm.embed([question])[0]
        return classify(question, vector, self._known())

    def _known(self) -> NDArray[np.float32]:
        """Give the examples' embeddings, (kinds, each, width), made once for an embedder."""
        if self._examples is None or self._examples[0] != self._lm.embedder:
            vectors = np.stack([self._lm.embed(EXAMPLES[kind]) for kind in KINDS])
            self._examples = self._lm.embedder, vectors
        return self._examples[1]


def read_route(text: str) -> Route | None:
    """Read a route.

    Args:
        text: What may be one.

    Returns:
        The route; None where the text is a composition.

    Raises:
        UsageError: If a setting, or a composition in it, is not known.
    """
    name, _, settings = text.strip().partition(":")
    return Route(**read_settings(Route, _NAME, settings)) if name == _NAME else None


def methods_of(text: str) -> tuple[Method, ...]:
    """Give the methods of a composition, or all that a route may choose."""
    route = read_route(text)
    return parse(text) if route is None else route.methods


def written(text: str) -> str:
    """Write a composition or a route as it is read back: only what is not the default."""
    route = read_route(text)
    return spec(parse(text)) if route is None else write_settings(_NAME, route)


def spelled() -> str:
    """Say in one line what the default route may choose."""
    route = Route()
    parts = [f"{kind}: {getattr(route, kind)}" for kind in KINDS]
    return "; ".join(["one of these for each question", *parts])


def _carried(methods: tuple[Method, ...], carries: frozenset[Need]) -> bool:
    """Whether a backend has what methods need."""
    embedding = any(method.base in ("embedder", "both") for method in methods)
    needed = frozenset[Need](["embed"] if embedding else []).union(*(m.needs for m in methods))
    return needed <= carries
