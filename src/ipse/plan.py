"""Plans: what to run to answer one request, as inert data.

A method maps a plan to a plan; a backend runs it. Neither knows the other. Everything here is
frozen, printable and JSON-able; tensors (adapters, prefixes, steering vectors) stand by name only.
"""

# Over 300 lines because all that can be run stands in one place.

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from ipse.errors import InvalidPlan

__all__ = [
    "NEEDS",
    "Adapter",
    "Fusion",
    "Message",
    "Need",
    "Plan",
    "Role",
    "Sampling",
    "Steering",
    "Stream",
]

Role = Literal["system", "user", "assistant", "tool"]

Need = Literal[
    "generate", "stream", "score", "embed", "cut", "fusion", "adapters", "prefix", "steering",
    "models", "candidates", "hidden", "fit_steering", "train",
    "extra",
]  # fmt: skip
"""What a plan can need and a backend can carry."""

NEEDS: tuple[Need, ...] = get_args(Need)


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Whose.
        content: What is said.
        extra: Its other fields in the words of OpenAI, a JSON object, such as `tool_calls`; "" is
            none. Only servers read them.
    """

    role: Role
    content: str
    extra: str = ""

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            known = ", ".join(get_args(Role))
            raise InvalidPlan(f"unknown role {self.role!r}. Known: {known}")
        try:
            self.content.encode()
        except UnicodeEncodeError as error:
            raise InvalidPlan(f"a message is not valid Unicode: {error}") from error


@dataclass(frozen=True)
class Adapter:
    """Weights to add, by content-hashed name, and how much; the arrays of `own` join or replace."""

    name: str
    weight: float = 1.0
    own: str = ""


@dataclass(frozen=True)
class Steering:
    """A vector to add to the hidden states behind one layer, by content-hashed name.

    `start` is the first token it is added at, counted in the prompt as a slice counts: 0 is every
    token, -1 the prompt's last and all that is written.
    """

    name: str
    layer: int
    scale: float = 1.0
    start: int = 0


@dataclass(frozen=True)
class Stream:
    """One reading of the request: which text, by which weights, steered how.

    Attributes:
        messages: What is read.
        model: Another model with the same tokenizer; None is the backend's own.
        prefix: The name of a soft prompt of shape (length, hidden).
        adapters: Low-rank weights to add, each with its factor.
        steering: Vectors to add to hidden states.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    prefix: str | None = None
    adapters: tuple[Adapter, ...] = ()
    steering: tuple[Steering, ...] = ()

    @property
    def question(self) -> str:
        """The text of the latest user message: what is asked now."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    def with_context(self, text: str) -> Stream:
        """Give the stream with a passage at the end of its system message, made if need be."""
        if self.messages and self.messages[0].role == "system":
            head = Message("system", f"{self.messages[0].content}\n\n{text}")
            return replace(self, messages=(head, *self.messages[1:]))
        return replace(self, messages=(Message("system", text), *self.messages))

    def with_turns(self, turns: Sequence[tuple[str, str]]) -> Stream:
        """Give the stream with questions and their answers in front of the conversation."""
        head = self.messages[:1] if self.messages and self.messages[0].role == "system" else ()
        told = [
            message
            for question, answer in turns
            for message in (Message("user", question), Message("assistant", answer))
        ]
        return replace(self, messages=(*head, *told, *self.messages[len(head) :]))

    def with_question(self, text: str) -> Stream:
        """Give the stream with its latest user message replaced."""
        turns = list(self.messages)
        for i in range(len(turns) - 1, -1, -1):
            if turns[i].role == "user":
                turns[i] = Message("user", text)
                return replace(self, messages=tuple(turns))
        raise InvalidPlan("there is no user message to replace")


@dataclass(frozen=True)
class Fusion:
    """How the next-token distributions of a plan's streams become one.

    Attributes:
        kind: The name of the rule; `linear` is `log p = sum_i w_i log p_i`, renormalised. The
            backend that fuses says which others there are.
        weights: One weight a stream, the main stream's first. Rules that contrast streams with an
            anchor have the anchor last, with weight 1. A stream of weight 0 is not read.
        settings: The rule's own parameters, each by name.
    """

    kind: str
    weights: tuple[float, ...] = ()
    settings: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.weights, *(value for _, value in self.settings)))):
            raise InvalidPlan(f"weights and settings of a fusion must be finite; got {self}")

    def __str__(self) -> str:
        weights = ", ".join(f"{weight:g}" for weight in self.weights)
        settings = ", ".join(f"{name}={value:g}" for name, value in self.settings)
        return f"{self.kind}({'; '.join(filter(None, (weights, settings)))})"


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        max_tokens: The most tokens to generate.
        temperature: 0 takes the likeliest token.
        top_p: The probability mass that is drawn from, in (0, 1].
        seed: The same seed gives the same text, whatever else is in the batch.
        stop: Texts that end the answer; they are not part of it.
        extra: Other fields of a request in the words of OpenAI, a JSON object, such as `tools`; ""
            is none. Only servers read them.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    extra: str = ""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise InvalidPlan(f"max_tokens must be at least 1; got {self.max_tokens}")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InvalidPlan(f"temperature must be at least 0; got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InvalidPlan(f"top_p must be above 0 and at most 1; got {self.top_p}")


@dataclass(frozen=True)
class Plan:
    """What to run to answer one request.

    Attributes:
        main: The stream that carries the conversation.
        others: Further streams that are read beside it.
        fusion: How the streams' distributions become one; needed when there are others.
        sampling: How tokens are drawn.
        candidates: How many answers are drawn to choose from.
        evidence: The ids of the records that are read in it, word for word.
        states: The ids of the states it leans on; each names its own records.
        strength: 0 is the generic model, 1 the method as published.
        generic: What was read before any method; known while methods are applied, None after.
    """

    main: Stream
    others: tuple[Stream, ...] = ()
    fusion: Fusion | None = None
    sampling: Sampling = field(default_factory=Sampling)
    candidates: int = 1
    evidence: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    strength: float = 1.0
    generic: Stream | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise InvalidPlan(f"strength must be between 0 and 1; got {self.strength}")
        if self.candidates < 1:
            raise InvalidPlan(f"candidates must be at least 1; got {self.candidates}")
        if self.others and self.fusion is None:
            raise InvalidPlan(f"{len(self.others) + 1} streams need a fusion to become one answer")
        if self.fusion and self.fusion.weights and len(self.fusion.weights) != len(self.streams):
            raise InvalidPlan(
                f"a fusion has one weight a stream: {len(self.streams)} streams, "
                f"{len(self.fusion.weights)} weights"
            )

    @classmethod
    def ask(
        cls,
        question: str,
        system: str = "",
        sampling: Sampling | None = None,
        history: Sequence[Message] = (),
        since: Sequence[Message] = (),
    ) -> Plan:
        """Make the generic plan for one question.

        Args:
            question: What is asked.
            system: The deployment's own system prompt; that of the history stands below it.
            sampling: How tokens are drawn.
            history: Earlier turns of the same conversation.
            since: What came after the question: calls of tools, and what these gave.

        Returns:
            The plan.
        """
        turns = [*history, Message("user", question), *since]
        if system and turns[0].role == "system":
            turns[0] = Message("system", f"{system}\n\n{turns[0].content}")
        elif system:
            turns.insert(0, Message("system", system))
        return cls(Stream(tuple(turns)), sampling=sampling or Sampling())

    @property
    def streams(self) -> tuple[Stream, ...]:
        """All streams, the main one first."""
        return (self.main, *self.others)

    @property
    def needs(self) -> frozenset[Need]:
        """What a backend must carry to run this plan, beyond the verb it is run with."""
        needed: dict[Need, bool] = {
            "fusion": self.fusion is not None,
            "candidates": self.candidates > 1,
            "models": any(stream.model for stream in self.streams),
            "prefix": any(stream.prefix for stream in self.streams),
            "adapters": any(stream.adapters for stream in self.streams),
            "steering": any(stream.steering for stream in self.streams),
            "extra": bool(self.sampling.extra) or any(m.extra for m in self.main.messages),
        }
        return frozenset(need for need, is_needed in needed.items() if is_needed)

    def with_context(self, text: str, evidence: tuple[str, ...] = ()) -> Plan:
        """Give the plan with a passage for the model to read first, and the records behind it."""
        return self._reading(self.main.with_context(text), evidence)

    def with_turns(self, turns: Sequence[tuple[str, str]], evidence: tuple[str, ...] = ()) -> Plan:
        """Give the plan with questions and answers to read first, and the records behind them."""
        return self._reading(self.main.with_turns(turns), evidence)

    def with_question(self, text: str, evidence: tuple[str, ...] = ()) -> Plan:
        """Give the plan with its question reworded, and the records behind the new words."""
        return self._reading(self.main.with_question(text), evidence)

    def _reading(self, main: Stream, evidence: tuple[str, ...]) -> Plan:
        new = tuple(e for e in evidence if e not in self.evidence)
        return replace(self, main=main, evidence=(*self.evidence, *new))

    def to_json(self) -> dict[str, Any]:
        """Give the plan as JSON-able data; `from_json` gives it back, equal."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read a plan from what `to_json` gave, or raise `InvalidPlan`."""
        try:
            fields = dict(data)
            fields["main"] = _stream(fields["main"])
            fields["others"] = tuple(_stream(s) for s in fields.get("others", ()))
            if fusion := fields.get("fusion"):
                fields["fusion"] = _fusion(fusion)
            if generic := fields.get("generic"):
                fields["generic"] = _stream(generic)
            if sampling := fields.get("sampling"):
                stop = tuple(sampling.get("stop", ()))
                fields["sampling"] = Sampling(**{**sampling, "stop": stop})
            for name in ("evidence", "states"):
                fields[name] = tuple(fields.get(name, ()))
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidPlan(f"not a plan: {error}") from error


def _stream(data: Mapping[str, Any]) -> Stream:
    fields = dict(data)
    fields["messages"] = tuple(Message(**m) for m in fields["messages"])
    fields["adapters"] = tuple(Adapter(**a) for a in fields.get("adapters", ()))
    fields["steering"] = tuple(Steering(**s) for s in fields.get("steering", ()))
    return Stream(**fields)


def _fusion(data: Mapping[str, Any]) -> Fusion:
    settings = tuple((str(name), float(value)) for name, value in data.get("settings", ()))
    return Fusion(data["kind"], tuple(data.get("weights", ())), settings)
