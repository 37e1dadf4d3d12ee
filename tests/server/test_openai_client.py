"""The official Python client against a server that listens: every call it has for our endpoints."""

from __future__ import annotations

import math

import openai
import pytest

from ipse import Ipse
from ipse.settings import Settings
from tests.people import Both, echo, person
from tests.server.live import serving

ASKED = [{"role": "user", "content": "Which argument about browsers is better? Say why."}]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    where = tmp_path_factory.mktemp("served") / "ipse.db"
    with Ipse(where, echo(), methods="bm25:k=2") as engine:
        engine.add([*person("ada").records, *person("bob").records])
        yield engine


@pytest.fixture(scope="module")
def address(engine):
    with serving(engine, Settings(backend="echo")) as address:
        yield address


@pytest.fixture(scope="module")
def keys(engine, address):
    made = engine.store.keys
    return {"ada": made.create("ada")[0], "service": made.create()[0]}


def client_of(address, key):
    return openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)


@pytest.fixture(scope="module")
def ada(address, keys):
    with client_of(address, keys["ada"]) as client:
        yield client


@pytest.fixture(scope="module")
def service(address, keys):
    with client_of(address, keys["service"]) as client:
        yield client


@pytest.fixture(scope="module")
def small(pico, tmp_path_factory):
    """A client of a server that runs a real, tiny model."""
    lm = Both(pico, echo())
    where = tmp_path_factory.mktemp("small") / "ipse.db"
    with Ipse(where, lm, methods="bm25:k=2") as engine:
        engine.add(person("ada").records)
        settings = Settings(max_tokens=8)
        with serving(engine, settings) as address, client_of(address, "none") as client:
            yield client


def test_a_chat_is_answered_as_the_person(ada):
    answer = ada.chat.completions.create(model="ipse", messages=ASKED)
    choice = answer.choices[0]
    assert "ada finds point" in choice.message.content
    assert "bob" not in choice.message.content
    assert (choice.message.role, choice.finish_reason, choice.index) == ("assistant", "stop", 0)
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_is_the_answer_in_pieces(ada):
    whole = ada.chat.completions.create(model="ipse", messages=ASKED)
    chunks = list(
        ada.chat.completions.create(
            model="ipse", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    *said, last, counted = chunks
    text = "".join(chunk.choices[0].delta.content or "" for chunk in said)
    assert text == whole.choices[0].message.content
    assert last.choices[0].finish_reason == "stop"
    assert counted.choices == []
    assert counted.usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in said)


def test_the_clients_own_stream_helper_reads_it(ada):
    with ada.chat.completions.stream(model="ipse", messages=ASKED) as stream:
        final = stream.get_final_completion()
    assert "ada finds point" in final.choices[0].message.content


def test_several_answers_are_several_choices(small):
    options = {"model": "ipse", "messages": ASKED, "user": "ada", "temperature": 1.0, "seed": 3}
    several = small.chat.completions.create(**options, n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    second = small.chat.completions.create(**{**options, "seed": 4})
    assert several.choices[1].message.content == second.choices[0].message.content
    chunks = list(small.chat.completions.create(**options, n=3, stream=True))
    for number, choice in enumerate(several.choices):
        parts = (c.choices[0] for c in chunks if c.choices)
        text = "".join(p.delta.content or "" for p in parts if p.index == number)
        assert text == choice.message.content


def test_logprobs_are_those_of_the_tokens(small):
    options = {"model": "ipse", "messages": ASKED, "user": "ada", "logprobs": True}
    answer = small.chat.completions.create(**options).choices[0]
    tokens = answer.logprobs.content
    assert "".join(token.token for token in tokens) == answer.message.content
    assert all(math.isfinite(token.logprob) and token.logprob <= 0 for token in tokens)
    chunks = list(small.chat.completions.create(**options, stream=True))
    assert chunks[-1].choices[0].logprobs.content == tokens
    legacy = small.completions.create(model="ipse", prompt="Hi", logprobs=0).choices[0]
    assert "".join(legacy.logprobs.tokens) == legacy.text


def test_max_tokens_and_stop_end_an_answer(small, ada):
    for name in ("max_tokens", "max_completion_tokens"):
        answer = small.chat.completions.create(model="ipse", messages=ASKED, **{name: 2})
        assert answer.usage.completion_tokens == 2
        assert answer.choices[0].finish_reason == "length"
    stopped = ada.chat.completions.create(model="ipse", messages=ASKED, stop=["Which", "never"])
    assert "Which" not in stopped.choices[0].message.content
    with pytest.raises(openai.UnprocessableEntityError, match="say two things"):
        ada.chat.completions.create(
            model="ipse", messages=ASKED, max_tokens=1, max_completion_tokens=2
        )


def test_a_conversation_is_read_whole(service):
    talk = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": t} for t in ("One ", "two")]},
        {"role": "assistant", "content": "Three"},
        {"role": "user", "content": "Four"},
    ]  # fmt: skip
    answer = service.chat.completions.create(model="ipse", messages=talk)
    text = answer.choices[0].message.content
    assert text == "[system] Be brief.\n[user] One two\n[assistant] Three\n[user] Four"


def test_nobody_and_strangers_get_the_generic_model(service):
    for extra in ({}, {"user": ""}, {"user": "nobody knows me"}):
        answer = service.chat.completions.create(model="ipse", messages=ASKED, **extra)
        assert answer.choices[0].message.content == f"[user] {ASKED[0]['content']}"


def test_a_service_names_the_person_in_any_of_three_places(service):
    create = service.chat.completions.create
    ways = (
        {"user": "bob"},
        {"safety_identifier": "bob"},
        {"extra_headers": {"X-Ipse-User": "bob"}},
    )
    for way in ways:
        answer = create(model="ipse", messages=ASKED, **way)
        assert "bob finds point" in answer.choices[0].message.content
    with pytest.raises(openai.UnprocessableEntityError, match="names 2 people"):
        create(model="ipse", messages=ASKED, user="ada", extra_headers={"X-Ipse-User": "bob"})


def test_an_answer_explains_itself(ada, engine):
    own = {"personalization": {"explain": True, "methods": ["recent:k=1"], "strength": 1.0}}
    answer = ada.chat.completions.create(model="ipse", messages=ASKED, extra_body=own)
    told = answer.model_extra["personalization"]
    assert told["methods"] == "recent:k=1"
    (record,) = told["evidence"]
    assert record["user"] == "ada"
    assert record["output"] in answer.choices[0].message.content
    assert answer.id == f"chatcmpl-{told['reply_id']}"
    assert engine.store.reply(told["reply_id"], "ada").text == answer.choices[0].message.content
    chunks = list(
        ada.chat.completions.create(model="ipse", messages=ASKED, extra_body=own, stream=True)
    )
    assert chunks[-1].model_extra["personalization"]["evidence"] == told["evidence"]


def test_strength_nothing_is_the_generic_model(ada):
    own = {"personalization": {"strength": 0.0}}
    answer = ada.chat.completions.create(model="ipse", messages=ASKED, extra_body=own)
    assert answer.choices[0].message.content == f"[user] {ASKED[0]['content']}"


def test_of_a_temporary_chat_nothing_is_kept(ada, engine):
    before = [reply.id for reply in engine.store.replies("ada")]
    own = {"personalization": {"temporary": True}}
    for stream in (False, True):
        answer = ada.chat.completions.create(
            model="ipse", messages=ASKED, extra_body=own, stream=stream
        )
        list(answer)
    assert [reply.id for reply in engine.store.replies("ada")] == before


def test_a_reply_goes_with_the_records_behind_the_conversation(engine, service):
    engine.remember("eve", "I adore quokkas", kind="content", input="Which animal?", id="quokka")
    engine.remember("eve", "I live here", kind="content")
    first = service.chat.completions.create(
        model="ipse", messages=[{"role": "user", "content": "Which animal?"}], user="eve"
    )
    said = first.choices[0].message.content
    talk = [
        {"role": "user", "content": "Which animal?"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": "Say it again"},
    ]
    own = {"personalization": {"strength": 0.0}}
    service.chat.completions.create(model="ipse", messages=talk, user="eve", extra_body=own)
    assert len(engine.store.replies("eve")) == 2
    assert engine.forget("eve", "quokka").replies == 2


def test_a_completion_is_answered(ada, service):
    answer = service.completions.create(model="ipse", prompt=["One", "Two"], n=2)
    texts = [choice.text for choice in answer.choices]
    assert texts == ["[user] One", "[user] One", "[user] Two", "[user] Two"]
    chunks = list(service.completions.create(model="ipse", prompt="One", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "[user] One"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert (
        "ada finds"
        in ada.completions.create(model="ipse", prompt=ASKED[0]["content"]).choices[0].text
    )


def test_embeddings_come_as_floats_and_as_base64(service):
    texts = ["tea", "coffee"]
    as_base64 = service.embeddings.create(model="ipse", input=texts)
    as_floats = service.embeddings.create(model="ipse", input=texts, encoding_format="float")
    for one, other in zip(as_base64.data, as_floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
        assert math.fsum(number * number for number in other.embedding) == pytest.approx(1, 1e-5)
    width = len(as_floats.data[0].embedding)
    same = service.embeddings.create(model="ipse", input="tea", dimensions=width)
    assert same.data[0].embedding == pytest.approx(as_floats.data[0].embedding)
    assert as_base64.usage.total_tokens == 2
    with pytest.raises(openai.UnprocessableEntityError, match="dimensions"):
        service.embeddings.create(model="ipse", input="tea", dimensions=width + 1)


def test_models_are_what_the_server_goes_by(service):
    assert [one.id for one in service.models.list()] == ["ipse"]
    assert service.models.retrieve("ipse").owned_by == "ipse"
    for name in ("gpt-5", "adapters/ada", "user-adapter:ada"):
        with pytest.raises(openai.NotFoundError):
            service.models.retrieve(name)
        with pytest.raises(openai.NotFoundError):
            service.chat.completions.create(model=name, messages=ASKED)


def test_errors_are_the_clients_own_exceptions(ada, address):
    create = ada.chat.completions.create
    with client_of(address, "ipse-none") as stranger:
        with pytest.raises(openai.AuthenticationError) as told:
            stranger.models.list()
        assert told.value.code == "invalid_api_key"
    with pytest.raises(openai.PermissionDeniedError, match="not good for 'bob'"):
        create(model="ipse", messages=ASKED, user="bob")
    with pytest.raises(openai.UnprocessableEntityError) as told:
        create(model="ipse", messages=ASKED, extra_body={"personalization": {"power": 9}})
    assert told.value.param == "personalization.power"
    for field, value in (("temperature", 3.0), ("n", 0), ("stop", ["a"] * 5), ("nonsense", 1)):
        with pytest.raises(openai.UnprocessableEntityError) as told:
            create(model="ipse", messages=ASKED, extra_body={field: value})
        assert told.value.param.startswith(field)
    with pytest.raises(openai.UnprocessableEntityError, match="role user"):
        create(model="ipse", messages=[{"role": "system", "content": "Hi"}])
    with pytest.raises(openai.NotFoundError, match="unknown method 'magic'"):
        create(model="ipse", messages=ASKED, extra_body={"personalization": {"methods": "magic"}})


@pytest.mark.parametrize(
    "field",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_object"}},
        {"frequency_penalty": 0.5},
        {"logprobs": True},
    ],
    ids=lambda field: next(iter(field)),
)
def test_what_the_backend_does_not_carry_is_refused(ada, field):
    with pytest.raises(openai.UnprocessableEntityError, match="does not carry"):
        ada.chat.completions.create(model="ipse", messages=ASKED, **field)


def test_what_says_nothing_is_taken(ada):
    ada.chat.completions.create(
        model="ipse",
        messages=ASKED,
        frequency_penalty=0.0,
        presence_penalty=0.0,
        logit_bias={},
        response_format={"type": "text"},
        metadata={"a": "b"},
        service_tier="auto",
        modalities=["text"],
    )
