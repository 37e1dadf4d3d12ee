"""What travels: requests in OpenAI's words, and what is ours in them.

A field that no backend could obey is refused, unless it says what holds anyway; so is a field that
nobody knows. What only some backends carry is in `passed`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "ChatRequest",
    "CompletionRequest",
    "EmbeddingRequest",
    "Personalization",
    "StreamOptions",
    "TextRequest",
    "Turn",
]

_PASSED = (
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "frequency_penalty",
    "presence_penalty", "logit_bias", "reasoning_effort", "verbosity",
)  # fmt: skip
_SAY_NOTHING: tuple[Any, ...] = (None, 0, {}, [], {"type": "text"})

Count = Annotated[int, Field(ge=1, le=1 << 20)]
Seed = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Stop = Annotated[str, Field(min_length=1)]
Text = Literal["text"]


class Wire(BaseModel):
    """A part of a request; what is not known is refused, and nothing is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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
    temporary: bool = False
    explain: bool = False

    @property
    def composition(self) -> str | None:
        """The composition; None is the deployment's own."""
        return "+".join(self.methods) if isinstance(self.methods, list) else self.methods


class StreamOptions(Wire):
    """How a stream is sent."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Part(Wire):
    """A part of what is said: text."""

    type: Text
    text: str


class Turn(Wire):
    """One turn of a conversation, as it is asked or as it was answered."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    audio: None = None
    function_call: None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content must be text, but where an assistant calls tools")
        return self

    @property
    def text(self) -> str:
        """All that is said."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""

    @property
    def extra(self) -> str:
        """What only servers read of it, as JSON; "" where there is none."""
        fields = {"tool_calls": self.tool_calls, "tool_call_id": self.tool_call_id}
        given = {name: value for name, value in fields.items() if value}
        return json.dumps(given) if given else ""


class TextRequest(Wire):
    """What requests for text have in common."""

    model: str
    user: str | None = None
    safety_identifier: str | None = None
    personalization: Personalization = Personalization()
    max_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None
    seed: Seed | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, float] | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: bool | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def passed(self) -> dict[str, Any]:
        """What only some backends carry, as they take it."""
        given = {name: getattr(self, name, None) for name in _PASSED}
        return {name: value for name, value in given.items() if value not in _SAY_NOTHING}


class ChatRequest(TextRequest):
    """A conversation that is to be gone on with."""

    messages: Annotated[list[Turn], Field(min_length=1)]
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: Literal[0] | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    modalities: list[Text] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        most = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(most) > 1:
            raise ValueError("max_tokens and max_completion_tokens say two things. Give one")
        if all(turn.role != "user" for turn in self.messages):
            raise ValueError("messages must hold one of the role user: what is asked")
        return self


class CompletionRequest(TextRequest):
    """A text that is to be answered."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=16)]
    best_of: Annotated[int, Field(ge=1)] | None = None
    echo: Literal[False] | None = None
    logprobs: Literal[0, 1] | None = None
    suffix: Literal[""] | None = None

    @property
    def prompts(self) -> list[str]:
        """The texts."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.best_of not in (None, self.n or 1):
            raise ValueError("best_of must be n. To choose by a person's taste, use best-of-n")
        return self


class EmbeddingRequest(Wire):
    """Texts whose vectors are asked for."""

    model: str
    input: str | Annotated[list[str], Field(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None
    safety_identifier: str | None = None

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input
