"""MCP: the tools, in process, over HTTP with keys, and over stdin and stdout."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import anyio
from mcp import Client, StdioServerParameters

from ipse.server.mcp import mcp_server
from tests.server.conftest import bearer
from tests.server.live import until

TOOLS = {
    "search_memories",
    "add_memory",
    "list_memories",
    "get_memory",
    "update_memory",
    "delete_memory",
    "get_profile",
    "forget_everything",
}


def talk(server, *calls):
    """Call tools one after the other; a call may be made of the answers before it."""

    async def run():
        async with Client(server) as client:
            answers = []
            for name, arguments in calls:
                given = arguments(answers) if callable(arguments) else arguments
                result = await client.call_tool(name, given)
                text = result.content[0].text
                answers.append(text if result.is_error else json.loads(text))
            return [tool.name for tool in (await client.list_tools()).tools], answers

    return anyio.run(run)


def test_a_memory_is_added_found_corrected_and_forgotten(engine):
    tools, answers = talk(
        mcp_server(engine, lambda _: "eve"),
        ("add_memory", {"text": "I never eat meat.", "kind": "profile", "about": "diet"}),
        ("search_memories", {"query": "what does she eat", "limit": 3}),
        ("get_profile", {}),
        ("update_memory", lambda said: {"memory_id": said[0]["id"], "text": "I eat fish."}),
        ("list_memories", {}),
        ("delete_memory", lambda said: {"memory_id": said[0]["id"]}),
        ("get_memory", lambda said: {"memory_id": said[0]["id"]}),
        ("forget_everything", {"confirm": "yes"}),
    )
    assert set(tools) == TOOLS
    added, found, profile, updated, listed, receipt, gone, unsure = answers
    assert (added["memory"], added["about"]) == ("I never eat meat.", "diet")
    assert [each["id"] for each in found["results"]] == [added["id"]]
    assert "never eat meat" in profile["profile"]
    assert (updated["memory"], [each["memory"] for each in listed["results"]]) == (
        "I eat fish.",
        ["I eat fish."],
    )
    assert receipt["records"] == [updated["id"]]
    assert "no record" in gone
    assert "forget everything" in unsure
    assert [person.id for person in engine.store.users().items] == ["ada", "bob"]


def test_no_tool_takes_a_person(engine):
    async def schemas():
        async with Client(mcp_server(engine, lambda _: "eve")) as client:
            return [tool.input_schema for tool in (await client.list_tools()).tools]

    for schema in anyio.run(schemas):
        assert not {"user", "user_id", "person", "context"} & schema.get("properties", {}).keys()


def call(client, name, arguments, **headers):
    """Call a tool over streamable HTTP."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }
    accept = {"Accept": "application/json, text/event-stream"}
    return client.post("/mcp", json=body, headers=accept | headers)


def test_over_http_the_key_says_who_it_is(client, engine):
    keys = {name: bearer(engine.store.keys.create(name)[0]) for name in ("ada", "bob")}
    service = bearer(engine.store.keys.create()[0])
    text = {"text": "Only Ada knows."}
    added = call(client, "add_memory", text, **keys["ada"]).json()["result"]
    name = json.loads(added["content"][0]["text"])["id"]
    assert engine.store.record(name).user == "ada"
    for headers, there in (
        (keys["ada"], True),
        (keys["bob"], False),
        (service | {"X-Ipse-User": "ada"}, True),
        (service | {"X-Ipse-User": "bob"}, False),
        (service, False),
        (keys["bob"] | {"X-Ipse-User": "ada"}, False),
    ):
        result = call(client, "get_memory", {"memory_id": name}, **headers).json()["result"]
        assert result.get("isError", False) is not there
        assert ("Only Ada" in json.dumps(result)) is there
    assert call(client, "list_memories", {}).status_code == 401
    assert call(client, "list_memories", {}, Authorization="Bearer no").status_code == 401


def test_over_http_a_session_begins_and_lists_tools(client):
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    accept = {"Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    begun = client.post("/mcp", json=body, headers=accept)
    assert begun.json()["result"]["serverInfo"]["name"] == "ipse"
    listed = client.post(
        "/mcp", json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, headers=accept
    )
    assert {tool["name"] for tool in listed.json()["result"]["tools"]} == TOOLS


def test_who_is_paused_gets_nothing_added(client, engine):
    engine.store.pauses.set("ada", on=True)
    answer = call(client, "add_memory", {"text": "I like tea."}, **{"X-Ipse-User": "ada"})
    assert "paused" in answer.json()["result"]["content"][0]["text"]


def test_a_preference_says_what_was_liked_less(engine):
    liked = {"text": "green", "kind": "preference", "about": "Tea?"}
    _, (told, refused) = talk(
        mcp_server(engine, lambda _: "eve"),
        ("add_memory", {**liked, "rejected": "black"}),
        ("add_memory", liked),
    )
    assert engine.store.record(told["id"], "eve").rejected == "black"
    assert "needs a rejected text" in refused


def test_over_stdin_and_stdout_the_command_says_who_it_is(tmp_path):
    code = "from ipse.cli import main; main()"
    store = str(tmp_path / "ipse.db")
    given = ["-c", code, "mcp", "--user", "eve", "--backend", "echo", "--store", store]
    _, (added, listed) = talk(
        StdioServerParameters(command=sys.executable, args=given, env=dict(os.environ)),
        ("add_memory", {"text": "I like tea."}),
        ("list_memories", {}),
    )
    assert [each["id"] for each in listed["results"]] == [added["id"]]


def test_an_open_line_ends_when_the_server_is_about_to(client):
    """Whatever told it to: no signal need have."""
    served = client.app.state.served
    accept = {"Accept": "application/json, text/event-stream"}
    with ThreadPoolExecutor(1) as pool:
        line = pool.submit(client.get, "/mcp", headers=accept)
        until(lambda: served.waiting._lines, patience=30)
        client.portal.call(served.waiting.end, 600)
        assert line.result(30).status_code == 200
