"""MCP: what is known of one person, as tools for any model.

The person is fixed by the connection, by its key or by `ipse mcp --user`; no tool takes one, so no
prompt reaches anybody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from inspect import cleandoc
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ipse.engine import Ipse
from ipse.errors import IpseError, Unauthorized
from ipse.records import Kind, Record
from ipse.server.acting import changed, check_not_paused
from ipse.server.context import blocking
from ipse.server.identity import HEADER, named, needed
from ipse.server.jobs import Worker, rule

__all__ = ["Mcp", "mcp_server", "run_stdio"]

_ABOUT = (
    "What is known of one person: what they said, wrote, chose, rated or are. Search it before "
    "answering what depends on them; add what they say of themselves; correct and forget what they "
    "ask to."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_REMOVES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

Told: TypeAlias = Context[Any, Any]
Shown: TypeAlias = dict[str, Any]
Limit = Annotated[int, Field(ge=1, le=1000, description="How many at most.")]
Name = Annotated[str, Field(description="The memory's id.")]

Confirm = Annotated[
    Literal["forget everything"], Field(description="Only where the person asked for it.")
]

_PATIENCE = 5.0
"""Seconds that a job under way has to stop when stdin ends; who then kills it loses nothing."""

T = TypeVar("T")


class _Tools:
    """The tools, each a method whose words a model reads.

    Args:
        engine: Knows people.
        who: Says which person a connection is of.
    """

    def __init__(self, engine: Ipse, who: Callable[[Told], str]) -> None:
        self._engine, self._store, self._who = engine, engine.store, who

    async def search_memories(self, query: str, context: Told, limit: Limit = 10) -> Shown:
        """Find what is known of the person that is nearest to a query, the best first."""

        def act(user: str) -> Shown:
            found = self._engine.search(user, query, limit)
            return {"results": [{**_shown(each.record), "score": each.score} for each in found]}

        return await self._done(context, act)

    async def add_memory(
        self,
        text: str,
        context: Told,
        kind: Kind = "dialogue",
        about: str = "",
        rejected: str | None = None,
    ) -> Shown:
        """Keep something the person said, wrote, chose, rated or is.

        `kind` is `profile` for what they are (`about` is then the attribute, such as `diet`),
        `dialogue` for what they said (`about` is what it answers), `content` for what they wrote,
        `preference` for what they like better than `rejected`.
        """

        def act(user: str) -> Shown:
            check_not_paused(self._store, user)
            more = {"input": about, "rejected": rejected}
            return _shown(self._engine.remember(user, text, kind=kind, **more))

        return await self._done(context, act)

    async def list_memories(
        self, context: Told, limit: Limit = 50, cursor: str | None = None
    ) -> Shown:
        """List what is known of the person, newest first, a page at a time."""

        def act(user: str) -> Shown:
            page = self._store.records(user, limit, cursor)
            return {"results": [_shown(record) for record in page.items], "cursor": page.cursor}

        return await self._done(context, act)

    async def get_memory(self, memory_id: Name, context: Told) -> Shown:
        """Give one thing that is known of the person."""
        return await self._done(context, lambda user: _shown(self._store.current(memory_id, user)))

    async def update_memory(self, memory_id: Name, text: str, context: Told) -> Shown:
        """Correct something: the old text is forgotten, with all that was learned from it."""

        def act(user: str) -> Shown:
            changed(self._engine, user, memory_id, {"output": text})
            return _shown(self._store.current(memory_id, user))

        return await self._done(context, act)

    async def delete_memory(self, memory_id: Name, context: Told) -> Shown:
        """Forget something, with all that was learned from it, and give the receipt."""

        def act(user: str) -> Shown:
            found = self._store.current(memory_id, user)
            return self._engine.forget(user, found.id).to_json()

        return await self._done(context, act)

    async def get_profile(self, context: Told) -> Shown:
        """Say in words what is known of the person."""
        return await self._done(context, lambda user: {"profile": self._engine.profile(user)})

    async def forget_everything(self, confirm: Confirm, context: Told) -> Shown:
        """Forget the person whole, and everything that was learned of them, for good."""
        del confirm
        return await self._done(context, lambda user: self._engine.forget(user).to_json())

    async def _done(self, context: Told, act: Callable[[str], T]) -> T:
        try:
            return await blocking(act, self._who(context))
        except IpseError as error:
            raise ToolError(str(error)) from error


def mcp_server(engine: Ipse, who: Callable[[Told], str]) -> MCPServer[Any]:
    """Give the tools as a server, for any transport.

    Args:
        engine: Knows people.
        who: Says which person a connection is of.

    Returns:
        The server.
    """
    # What people wrote may stand in what is logged below that.
    server: MCPServer[Any] = MCPServer(
        "ipse", instructions=_ABOUT, version=version("ipse"), log_level="CRITICAL"
    )
    tools = _Tools(engine, who)
    for tool, hints in (
        (tools.search_memories, _READS),
        (tools.add_memory, _ADDS),
        (tools.list_memories, _READS),
        (tools.get_memory, _READS),
        (tools.update_memory, _REMOVES),
        (tools.delete_memory, _REMOVES),
        (tools.get_profile, _READS),
        (tools.forget_everything, _REMOVES),
    ):
        server.add_tool(tool, description=cleandoc(tool.__doc__ or ""), annotations=hints)
    return server


def run_stdio(engine: Ipse, user: str, relearn: int) -> None:
    """Serve one person's tools over stdin and stdout, until stdin ends.

    Args:
        engine: Knows them.
        user: Who.
        relearn: After how many new records methods that train learn of them; 0 is never.
    """
    engine.store.jobs.relearn = rule(engine, relearn)
    worker = Worker(engine, lambda _: None)
    if engine.store.jobs.relearn is not None:
        worker.start()
    try:
        mcp_server(engine, lambda _: user).run("stdio")
    finally:
        worker.stop(_PATIENCE)


class Mcp:
    """MCP over streamable HTTP, as an ASGI app; each request is of the person of its own key.

    Args:
        engine: Knows people.
        max_body: The most bytes of a request's body.
    """

    def __init__(self, engine: Ipse, max_body: int) -> None:
        self._engine, self._max_body = engine, max_body
        self._app: ASGIApp | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer while this is entered."""
        server = mcp_server(self._engine, _of_key)
        app = server.streamable_http_app(
            json_response=True,
            stateless_http=True,
            max_request_body_size=self._max_body,
            # Who may ask, and from which host, the gate has found out.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        async with server.session_manager.run():
            self._app = app
            yield
            self._app = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._app is None:
            raise RuntimeError("MCP is asked before the server has begun, or after it ended")
        await self._app(scope, receive, send)


def _of_key(context: Told) -> str:
    request = context.request_context.request
    if not isinstance(request, Request):
        raise Unauthorized("this connection says nothing of who asks")
    return needed(request.scope["ipse.caller"], named(request.headers.get(HEADER)))


def _shown(record: Record) -> Shown:
    """Show a record as a model reads it."""
    return {
        "id": record.id,
        "memory": record.output,
        "about": record.input,
        "kind": record.kind,
        "time": record.time.isoformat(),
    }
