"""The http backend against a server that misbehaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import numpy as np
import pytest
import respx

from ipse.backends.http import HttpBackend
from ipse.errors import BackendFailure, NotCarried, UsageError
from ipse.plan import Plan, Sampling
from tests.backends.fake_server import KEY, logprob, prompt_ids

PLAN = Plan.ask("Why?", system="Brief.", sampling=Sampling(max_tokens=7, seed=5, stop=("#",)))
ENVELOPE = {"error": {"message": "too much", "type": "x", "param": None, "code": None}}


@pytest.fixture
def waits(http, monkeypatch) -> list[float]:
    """The waits the client would have made."""
    found: list[float] = []
    monkeypatch.setattr(http._client, "sleep", found.append)
    return found


def test_what_is_sent(http, fake):
    http.generate([PLAN])
    assert fake.chats() == [
        {
            "model": "fake",
            "messages": [
                {"role": "system", "content": "Brief."},
                {"role": "user", "content": "Why?"},
            ],
            "max_tokens": 7,
            "temperature": 0.0,
            "top_p": 1.0,
            "seed": 5,
            "stop": ["#"],
        }
    ]
    assert set(fake.keys) == {f"Bearer {KEY}"}
    assert http.base == f"fake@{httpx.URL(fake.url).netloc.decode()}"


def test_usage(http):
    reply = http.generate([PLAN])[0]
    assert reply.text == "Why? (5)"
    assert (reply.prompt_tokens, reply.tokens) == (len(prompt_ids(_turns())), len(reply.text))


def _turns():
    return [{"role": m.role, "content": m.content} for m in PLAN.main.messages]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_retries_what_may_pass(http, fake, waits, status):
    assert http.carries
    fake.failures = [(status, {}, ENVELOPE)] * 2
    assert http.generate([PLAN])[0].text == "Why? (5)"
    assert len(waits) == 2
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] * 2 <= 2.0


def test_retries_end(http, fake, waits):
    assert http.carries
    fake.failures = [(429, {}, ENVELOPE)] * 9
    with pytest.raises(BackendFailure, match=r"/v1/chat/completions answered 429: too much"):
        http.generate([PLAN])
    assert len(waits) == 2


def test_honors_retry_after(http, fake, waits):
    assert http.carries
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    fake.failures = [(429, {"Retry-After": "3"}, ""), (503, {"Retry-After": later}, "")]
    http.generate([PLAN])
    assert waits[0] == 3.0
    assert 25 < waits[1] <= 30


def test_does_not_wait_for_ever(http, fake, waits):
    assert http.carries
    fake.failures = [(429, {"Retry-After": "3600"}, "")]
    with pytest.raises(BackendFailure, match="asks to wait 3600 s"):
        http.generate([PLAN])
    assert waits == []


def test_refusal_is_not_retried_and_hides_the_key(http, fake, waits):
    assert http.carries
    fake.failures = [(401, {}, {"error": {"message": f"Incorrect API key provided: {KEY}"}})]
    with pytest.raises(BackendFailure, match=r"answered 401: .*\*\*\*.*setting api_key") as caught:
        http.generate([PLAN])
    assert KEY not in str(caught.value)
    assert KEY not in repr(http._client)
    assert waits == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<html>Bad gateway</html>", "not answer in JSON: <html>"),
        ({}, "chat completion"),
        ({"choices": []}, "chat completion"),
        ({"choices": [{"message": {"content": None}}]}, "with text"),
        (
            {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]},
            "content filter",
        ),
    ],
)
def test_strange_answers(http, fake, body, message):
    assert http.carries
    fake.failures = [(200, {}, body)]
    with pytest.raises(BackendFailure, match=message):
        http.generate([PLAN])


def test_unreachable():
    lm = HttpBackend("http://127.0.0.1:9/v1", "m", scores=False, retries=0)
    with lm, pytest.raises(BackendFailure, match=r"cannot reach 127.0.0.1:9/v1/chat.*base_url"):
        lm.generate([PLAN])


def test_retries_broken_connections():
    waits: list[float] = []
    good = {"choices": [{"message": {"content": "yes"}, "finish_reason": "length"}]}
    with respx.mock:
        route = respx.post("http://host/v1/chat/completions")
        route.side_effect = [httpx.ConnectError("no"), httpx.Response(200, json=good)]
        with HttpBackend("http://host/v1/", "m", scores=False) as lm:
            lm._client.sleep = waits.append
            reply = lm.generate([PLAN])[0]
    assert (reply.text, reply.finish, len(waits)) == ("yes", "length", 1)


def test_timeout(fake):
    with HttpBackend(fake.url, "fake", scores=False, timeout=0.05) as lm:
        fake.stall = 0.3
        for call in (lambda: lm.generate([PLAN]), lambda: list(lm.stream(PLAN))):
            with pytest.raises(BackendFailure, match=r"within 0.05 s. Raise the setting timeout"):
                call()


def test_runs_concurrently(fake):
    with HttpBackend(fake.url, "fake", scores=False, concurrency=8) as lm:
        fake.stall = 0.1
        lm.generate([PLAN] * 20)
        assert 1 < fake.most_at_once <= 8


def test_first_failure_cancels_the_rest(fake):
    with HttpBackend(fake.url, "fake", scores=False, concurrency=1) as lm:
        fake.failures = [(400, {}, ENVELOPE)]
        with pytest.raises(BackendFailure, match="answered 400"):
            lm.generate([PLAN] * 20)
        assert len(fake.asked) < 5


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ('data: {"error": {"message": "out of memory"}}\n\n', "mid-stream: out of memory"),
        ("data: {nonsense\n\n", "not JSON"),
        ("data: {}\n\n", "chat completion chunk"),
        ("", "broke the stream off"),
    ],
)
def test_stream_fails_in_the_middle(http, fake, ending, message):
    fake.cut, fake.cut_with = 3, ending
    got: list[str] = []
    with pytest.raises(BackendFailure, match=message):
        got.extend(http.stream(PLAN))
    pieces = http.stream(PLAN)
    assert next(pieces) + next(pieces) == "Wh"


def test_stream_refused(http, fake):
    assert http.carries
    fake.failures = [(404, {}, {"message": "no such model"})]
    with pytest.raises(BackendFailure, match="answered 404: no such model"):
        list(http.stream(PLAN))


def test_scores_are_the_servers(http):
    score = http.score([PLAN], ["yes"])[0]
    read = len(prompt_ids(_turns()))
    expected = [logprob(read + i, token) for i, token in enumerate(b"yes")]
    assert score.logprobs == tuple(expected)
    assert score.prompt_tokens == read


def test_scores_are_asked_for_once(http, fake):
    http.generate([PLAN])
    http.score([PLAN], ["yes"])
    assert [path for path, _ in fake.asked].count("/tokenize") == 4


def test_a_server_without_scores(http, fake):
    fake.scores = False
    for _ in range(2):
        with pytest.raises(NotCarried, match="needs score"):
            http.score([PLAN], ["yes"])
    assert len(fake.asked) == 1


def test_a_server_that_cannot_say_now_is_asked_again(http, fake, waits):
    fake.failures = [(503, {}, ENVELOPE)] * 3
    with pytest.raises(BackendFailure, match="answered 503"):
        http.score([PLAN], ["yes"])
    assert "score" in http.carries


def test_embeds_in_order_by_the_server(http, hash_embedder):
    texts = [f"text number {i}" for i in range(300)]
    np.testing.assert_allclose(http.embed(texts), hash_embedder(texts), atol=1e-6)


def test_embeds_by_the_given_embedder(fake, hash_embedder):
    settings = {"embedder": hash_embedder, "embedder_name": "hash", "scores": False}
    with HttpBackend(fake.url, "m", **settings) as lm:
        assert lm.embedder == "hash"
        np.testing.assert_array_equal(lm.embed(["a"]), hash_embedder(["a"]))
    assert fake.asked == []


@pytest.mark.parametrize("space", ["\r", "\n", " "])
def test_space_around_a_key_is_left_out(fake, space):
    with HttpBackend(fake.url, "m", api_key=f"{KEY}{space}") as lm:
        lm.generate([PLAN])
    assert fake.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("key", ["sk-sec\rret", "sk-secr\u00e9t", "sk-\x07secret"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(key):
    with pytest.raises(UsageError, match="api_key") as caught:
        HttpBackend("http://host/v1", "m", api_key=key)
    assert "sk-" not in str(caught.value)


def test_a_short_key_mangles_no_words(fake):
    fake.failures = [(400, {}, {"error": {"message": "too much for e"}})]
    with (
        HttpBackend(fake.url, "m", api_key="e") as lm,
        pytest.raises(BackendFailure, match=r"answered 400: too much for \*\*\*\."),
    ):
        lm.generate([PLAN])


@pytest.mark.parametrize("body", [f"no json {KEY}", f"{'x' * 190}{KEY}"])
def test_a_body_hides_the_key(http, fake, body):
    fake.failures = [(200, {}, body)]
    with pytest.raises(BackendFailure, match="not answer in JSON") as caught:
        http.generate([PLAN])
    assert KEY[:5] not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "host/v1", "http://", "ftp://h/v1", "http://h:x"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match=r"base_url .*http://localhost:8000/v1; got ") as caught:
        HttpBackend(url, "m")
    assert repr(url) in str(caught.value)


def test_chat_asks_nothing_of_the_tokenizer(http, fake):
    http.generate([PLAN])
    list(http.stream(PLAN))
    http.embed(["a"])
    assert {path for path, _ in fake.asked} == {"/v1/chat/completions", "/v1/embeddings"}
