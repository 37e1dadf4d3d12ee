"""Tools pass through a server to a model behind another, and back to the client."""

from __future__ import annotations

import json

import httpx
import openai
import pytest
import respx

from ipse import Ipse
from ipse.backends.http import HttpBackend
from ipse.settings import Settings
from tests.people import person
from tests.server.live import serving

UPSTREAM = "http://model.test/v1"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"place": "Bern"}'},
}
QUESTION = {"role": "user", "content": "What is the weather in Bern?"}
USAGE = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}


def reply(message, finish):
    message = {"role": "assistant", **message}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": USAGE,
    }


@pytest.fixture
def upstream():
    """A model behind another server; it calls a tool, until it is told what came of that."""
    with respx.mock(assert_all_called=False) as router:
        router.route(host="127.0.0.1").pass_through()
        router.post("http://model.test/tokenize").respond(404)
        yield router.post(f"{UPSTREAM}/chat/completions").mock(side_effect=answered)


def answered(request):
    last = json.loads(request.content)["messages"][-1]
    if last["role"] == "tool":
        return httpx.Response(200, json=reply({"content": f"It is {last['content']}."}, "stop"))
    return httpx.Response(200, json=reply({"content": None, "tool_calls": [CALL]}, "tool_calls"))


@pytest.fixture
def client(upstream, tmp_path):
    with Ipse(tmp_path / "ipse.db", HttpBackend(UPSTREAM, "big"), methods="recent:k=1") as engine:
        engine.add(person("ada").records)
        with (
            serving(engine, Settings()) as address,
            openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client,
        ):
            yield client


def sent(upstream):
    return json.loads(upstream.calls.last.request.content)


def test_a_call_of_a_tool_and_what_it_gave_go_through(client, upstream):
    create = client.chat.completions.create
    asked = {"model": "ipse", "tools": [TOOL], "user": "ada"}
    first = create(**asked, messages=[QUESTION], tool_choice="required").choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.content is None
    assert [call.to_dict() for call in first.message.tool_calls] == [CALL]
    body = sent(upstream)
    assert (body["tools"], body["tool_choice"]) == ([TOOL], "required")
    assert "personalization" not in body
    assert "user" not in body

    gave = {"role": "tool", "tool_call_id": CALL["id"], "content": "sunny"}
    turns = [QUESTION, first.message.to_dict(), gave]
    second = create(**asked, messages=turns).choices[0]
    assert (second.finish_reason, second.message.content) == ("stop", "It is sunny.")
    read = sent(upstream)["messages"]
    assert [turn["role"] for turn in read][-3:] == ["user", "assistant", "tool"]
    assert read[-2]["tool_calls"] == [CALL]
    assert read[-1] == gave
    assert person("ada").records[-1].output[:20] in json.dumps(read)  # still the person's own


def test_a_stream_gives_calls_of_tools_as_the_client_reads_them(client, upstream):
    with client.chat.completions.stream(
        model="ipse",
        messages=[QUESTION],
        tools=[TOOL],
        user="ada",
        stream_options={"include_usage": True},
    ) as stream:
        whole = stream.get_final_completion()
    choice = whole.choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert (call.id, call.function.name) == (CALL["id"], "weather")
    assert json.loads(call.function.arguments) == {"place": "Bern"}
    assert whole.usage.total_tokens == USAGE["total_tokens"]
    assert sent(upstream)["tools"] == [TOOL]


def test_a_format_goes_through_in_a_stream_of_pieces(client, upstream):
    lines = [{"delta": {"content": piece}} for piece in ('{"a"', ": 1}")]
    lines.append({"delta": {}, "finish_reason": "stop"})
    data = "".join(f"data: {json.dumps({'choices': [{'index': 0, **x}]})}\n\n" for x in lines)
    upstream.mock(side_effect=None).respond(text=f"{data}data: [DONE]\n\n")
    form = {"type": "json_object"}
    pieces = client.chat.completions.create(
        model="ipse", messages=[QUESTION], response_format=form, stream=True
    )
    texts = [piece.choices[0].delta.content or "" for piece in pieces]
    assert [text for text in texts if text] == ['{"a"', ": 1}"]
    body = sent(upstream)
    assert (body["response_format"], body["stream"]) == (form, True)
