"""What travels: requests in OpenAI's words, and what is ours in them.

Fields that ask for what no backend does are refused unless they say what holds anyway.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

__all__ = ["ChatRequest", "Personalization", "Turn"]


class Wire(BaseModel):
    """A part of a request; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Personalization(Wire):
    """What is ours in a request.

    Attributes:
        methods: A composition, or its parts.
        strength: 0 is the generic model, 1 the methods as published.
        temporary: Nothing of it is kept.
        explain: Whether to say what the answer is made of.
    """

    methods: str | list[str] | None = None
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    temporary: StrictBool = False
    explain: StrictBool = False

    @property
    def composition(self) -> str | None:
        """The composition; None is the deployment's own."""
        return "+".join(self.methods) if isinstance(self.methods, list) else self.methods


class Part(Wire):
    """A part of what is said: text."""

    type: Literal["text"]
    text: str


class Turn(Wire):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]
    name: str | None = None

    @property
    def text(self) -> str:
        """All that is said."""
        return self.content if isinstance(self.content, str) else _joined(self.content)


class ChatRequest(Wire):
    """A conversation that is to be gone on with."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    user: str | None = None
    safety_identifier: str | None = None
    personalization: Personalization = Personalization()
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    stream: StrictBool | None = None
    metadata: dict[str, Any] | None = None


def _joined(parts: list[Part]) -> str:
    return "".join(part.text for part in parts)
