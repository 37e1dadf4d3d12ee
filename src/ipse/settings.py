"""Settings: from flags, then `IPSE_…` in the environment, then `ipse.toml`, then their defaults.

Every setting is one field of `Settings`. The file that `ipse init` writes, what is known where a
key is not, and the environment's names are all made from these fields.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ByteSize, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from ipse.backends import BACKENDS, open_backend
from ipse.backends.limits import Limits
from ipse.engine import DEFAULT_METHODS, Ipse
from ipse.errors import InvalidFile, UsageError, unknown
from ipse.lm import LM
from ipse.plan import Sampling
from ipse.records import USES
from ipse.replies import KEEP_REPLIES
from ipse.route import methods_of
from ipse.store import Store

__all__ = ["CONFIG", "Settings", "load", "open_engine", "open_lm", "template"]

CONFIG = Path("ipse.toml")
"""The file that is read where no other is named; it need not be there."""

_PREFIX = "IPSE_"

_PASSED: dict[str, dict[str, str]] = {
    "echo": {},
    "http": {
        "base_url": "base_url",
        "model": "model",
        "api_key": "api_key",
        "embedding_model": "embedding_model",
        "timeout": "timeout",
    },
    "local": {"model": "model", "dtype": "dtype", "embedding_model": "embedder"},
}
"""For each backend, our settings that it knows and what it calls them."""

_NEEDED = {"http": ("base_url", "model")}


def _known_backend(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"should be one of {', '.join(BACKENDS)}")
    return name


def _known_uses(text: str) -> str:
    given = {part.strip() for part in text.split(",")} - {""}
    if given - set(USES):
        raise ValueError(f"should be some of {', '.join(USES)}, parted by commas")
    return text


class Settings(BaseSettings):
    """How this Ipse is set up. `load` makes one; it never changes."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    store: str = Field("ipse.db", description="The file people's records are kept in.")
    backend: Annotated[str, AfterValidator(_known_backend)] = Field(
        "local", description="What runs the model: local, http (a server), or echo (for tests)."
    )
    model: str = Field(
        "", description="A Hugging Face id or folder, or the server's model; empty: the embedded."
    )
    base_url: str = Field("", description="The server's address, up to and including /v1.")
    api_key: SecretStr = Field(
        SecretStr(""), description="The server's key; better set as IPSE_API_KEY than here."
    )
    timeout: float = Field(
        120.0, gt=0, allow_inf_nan=False, description="Seconds a server may take to answer."
    )
    embedding_model: str = Field(
        "", description="The server's embedding model; for local, an encoder's folder."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "float32", description="The weights' format: float32, bfloat16, or auto (the faster)."
    )
    methods: str = Field(DEFAULT_METHODS, description="How answers are personalized: ipse methods.")
    system: str = Field("", description="The system prompt that stands before everything.")
    max_tokens: int = Field(
        Sampling.max_tokens, ge=1, description="The most tokens an answer may have."
    )
    temperature: float = Field(
        Sampling.temperature, ge=0, description="0 takes the likeliest token, more is more varied."
    )
    keep_replies: int = Field(
        KEEP_REPLIES, ge=0, description="How many replies to each person are kept, for feedback."
    )
    rows: int = Field(
        Limits.rows, ge=1, description="For local: the most streams that are under way at once."
    )
    memory: ByteSize = Field(
        ByteSize(Limits.memory),
        ge=1,
        description="For local: the most bytes of keys and values, such as 512MiB; others wait.",
    )
    attached: ByteSize = Field(
        ByteSize(Limits.attached),
        ge=0,
        description="For local: the most bytes of people's adapters and vectors, of one model.",
    )
    kept: ByteSize = Field(
        ByteSize(Limits.kept),
        ge=0,
        description="For local: the most bytes of beginnings kept for later, of one model.",
    )
    reading: int = Field(
        Limits.reading, ge=1, description="For local: prompt tokens read a step while others write."
    )
    alone: int = Field(
        Limits.alone, ge=1, description="For local: prompt tokens read a step while nobody writes."
    )

    host: str = Field("127.0.0.1", description="For serve: the address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="For serve: the port; 0 is any free one.")
    serve_as: str = Field(
        "ipse", min_length=1, description="For serve: what clients call the model."
    )
    max_body: ByteSize = Field(
        ByteSize(10 << 20), ge=1, description="For serve: the most bytes of a request's body."
    )
    rate: int = Field(
        0, ge=0, description="For serve: the most requests a minute of each key; 0 is any number."
    )
    deadline: float = Field(
        600.0, gt=0, allow_inf_nan=False, description="For serve: seconds a request may take."
    )
    grace: int = Field(
        30, ge=0, description="For serve: seconds that what is under way has to end at shutdown."
    )

    relearn: int = Field(
        10,
        ge=0,
        description="For serve: methods that train learn after so many new records; 0 is never.",
    )
    learn_conversations: bool = Field(
        False, description="For serve: whether what people say in conversations becomes records."
    )
    conversation_uses: Annotated[str, AfterValidator(_known_uses)] = Field(
        "prompt,train", description="For serve: what such records may be used for."
    )

    @property
    def limits(self) -> Limits:
        """How much the local backend may have under way at once."""
        return Limits(**{each.name: int(getattr(self, each.name)) for each in fields(Limits)})


def load(config: str | Path | None = None, **flags: object) -> Settings:
    """Gather the settings; what comes first in flags, environment, file and defaults wins.

    Args:
        config: The settings file; `IPSE_CONFIG`, or else `ipse.toml` if it is there, where it is
            not given.
        **flags: Settings by name; those that are None were not given.

    Returns:
        The settings.

    Raises:
        InvalidFile: If the file cannot be read.
        Unknown: If there is no such setting.
        UsageError: If a value is not what it should be.
    """
    named = config or os.environ.get(f"{_PREFIX}CONFIG")
    path = Path(named or CONFIG)
    file = _read(path) if named or path.exists() else {}
    environment = EnvSettingsSource(Settings)()
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**{**file, **environment, **given})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
    # Outside of the handler, because pydantic's own error may show the key.
    raise _refused(problem, path, environment, given)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidFile(f"cannot read the settings in {path}: {error}") from error


def _refused(
    problem: ErrorDetails, path: Path, environment: Mapping[str, Any], flags: Mapping[str, Any]
) -> UsageError:
    key = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        where = "flags" if key in flags else str(path)
        return unknown(f"setting in {where}:", key, Settings.model_fields)
    sources = {f"--{key.replace('_', '-')}": flags, f"{_PREFIX}{key.upper()}": environment}
    source = next((name for name, values in sources.items() if key in values), str(path))
    got = "a hidden value" if key == "api_key" else repr(problem["input"])
    what = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if problem["type"].startswith("byte_size"):
        what = "should be a number of bytes, such as 536870912 or 512MiB"
    return UsageError(f"the setting {key} {what}; got {got} from {source}")


def open_lm(settings: Settings, notify: Callable[[str], None] | None = None) -> LM:
    """Open the backend with those settings that it knows; no model is loaded yet.

    Args:
        settings: The settings.
        notify: Told what is about to take long.

    Returns:
        The backend.

    Raises:
        UsageError: If it needs a setting that is empty.
    """
    values = {**settings.model_dump(), "api_key": settings.api_key.get_secret_value()}
    for name in _NEEDED.get(settings.backend, ()):
        if not values[name]:
            raise UsageError(
                f"the backend {settings.backend!r} needs the setting {name!r}. "
                f"Set it in {CONFIG} or as {_PREFIX}{name.upper()}"
            )
    known = _PASSED[settings.backend]
    passed = {theirs: values[ours] for ours, theirs in known.items() if values[ours]}
    if settings.backend == "local":
        passed["limits"] = settings.limits
        passed |= {"notify": notify} if notify else {}
    return open_backend(settings.backend, **passed)


def open_engine(
    settings: Settings, store: Store | None = None, notify: Callable[[str], None] | None = None
) -> Ipse:
    """Open the engine that the settings describe; what is quick to refuse is refused first.

    Args:
        settings: The settings.
        store: The store, where it is open already.
        notify: Told what is about to take long.

    Returns:
        The engine; close it, or use it in a `with`.
    """
    methods_of(settings.methods)
    lm = open_lm(settings, notify)
    where = store or settings.store
    return Ipse(where, lm, settings.methods, settings.system, settings.keep_replies)


def template(**given: object) -> str:
    """Write a settings file that explains every setting.

    Args:
        **given: Settings by name, to be set in it; those that are None, and all others, stand as
            comments with their default.

    Returns:
        The file's text.
    """
    lines = [
        "# Settings of Ipse. A flag, or IPSE_<NAME> in the environment, goes before what is here.",
        "# Paths are relative to the folder that ipse is run in.",
    ]
    for name, field in Settings.model_fields.items():
        value = given.get(name)
        default = "" if name == "api_key" else field.default
        # JSON's strings and numbers are TOML's as well.
        shown = json.dumps(default if value is None else value, ensure_ascii=False)
        mark = "# " if value is None else ""
        lines += ["", f"# {field.description}", f"{mark}{name} = {shown}"]
    return "\n".join(lines) + "\n"
