"""What every request passes on its way in: bar 3, over all that the server answers to."""

from __future__ import annotations

import gc
import hashlib
import json
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ipse.errors import TooMany, UsageError
from ipse.server import check_safe, create_app
from ipse.server.rates import Rates
from ipse.server.running import settle
from ipse.settings import Settings
from tests.server.conftest import LOCAL, bearer

OPEN = {"/healthz", "/readyz"}
CHAT = {"model": "ipse", "messages": [{"role": "user", "content": "Tea?"}]}
BODIES = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "ipse", "prompt": "Tea?"},
    "/v1/embeddings": {"model": "ipse", "input": "Tea?"},
}
MALFORMED = {
    "no JSON": b"{",
    "no UTF-8": b'{"model": "\xff"}',
    "half a character": b'{"model": "\\ud800", "messages": [{"role": "user", "content": "a"}]}',
    "a list": b"[]",
    "deep": b'{"model":' + b"[" * 100_000,
    "a word": b"tea",
    "nothing": b"",
    "not a number": b'{"model": "ipse", "temperature": NaN}',
}


@pytest.fixture
def keyed(engine, served_as):
    """A client of a server with keys, and the keys."""
    made = engine.store.keys
    gone, key = made.create("ada")
    made.revoke(key.id)
    keys = {"ada": made.create("ada")[0], "service": made.create()[0], "revoked": gone}
    app = create_app(engine, served_as)
    with TestClient(app, base_url=LOCAL, raise_server_exceptions=False) as client:
        yield client, keys


def endpoints(client):
    """Every endpoint of the app, as method and path."""
    paths = client.get("/openapi.json").json()["paths"]
    return [(m.upper(), p.replace("{model}", "ipse")) for p, ms in paths.items() for m in ms]


def fingerprint(tmp_path: Path, engine) -> str:
    """What the store holds of people."""
    people = [engine.store.user(one).records for one in engine.store.everybody()]
    replies = [engine.store.replies(one) for one in engine.store.everybody()]
    return hashlib.sha256(repr((people, replies, engine.store.keys.list())).encode()).hexdigest()


def send(client, method, path, headers=None, content=None):
    headers = {"Content-Type": "application/json", **(headers or {})}
    body = json.dumps(BODIES.get(path, {})).encode() if content is None else content
    return client.request(method, path, headers=headers, content=body)


def is_envelope(answer) -> bool:
    error = answer.json()["error"]
    return set(error) == {"message", "type", "param", "code"} and bool(error["message"])


def test_no_endpoint_answers_without_a_good_key(keyed, engine, tmp_path):
    client, keys = keyed
    before = fingerprint(tmp_path, engine)
    for method, path in endpoints(client):
        for headers in ({}, bearer("ipse-none"), bearer(keys["revoked"]), bearer("\x00")):
            answer = send(client, method, path, headers)
            if path in OPEN:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 401, (method, path)
                assert is_envelope(answer)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert fingerprint(tmp_path, engine) == before


def test_another_persons_key_is_good_for_nothing_of_ones_own(keyed, engine, tmp_path):
    client, keys = keyed
    before = fingerprint(tmp_path, engine)
    for path, body in BODIES.items():
        for named in ({"user": "bob"}, {"safety_identifier": "bob"}):
            answer = client.post(path, json={**body, **named}, headers=bearer(keys["ada"]))
            assert answer.status_code == 403, path
            assert is_envelope(answer)
        headers = {**bearer(keys["ada"]), "X-Ipse-User": "bob"}
        assert client.post(path, json=body, headers=headers).status_code == 403
    assert client.get("/metrics", headers=bearer(keys["ada"])).status_code == 403
    assert fingerprint(tmp_path, engine) == before


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_body_is_refused(keyed, engine, tmp_path, body):
    client, keys = keyed
    before = fingerprint(tmp_path, engine)
    for path in BODIES:
        answer = send(client, "POST", path, bearer(keys["service"]), body)
        assert answer.status_code in (400, 404, 422), (path, answer.text[:200])
        assert is_envelope(answer)
    assert fingerprint(tmp_path, engine) == before


def test_a_body_of_another_type_is_not_read_as_json(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post(
            "/v1/chat/completions", content=json.dumps(CHAT), headers={"Content-Type": kind}
        )
        assert answer.status_code == 422


@pytest.mark.parametrize("honest", [True, False], ids=["with its length", "in chunks"])
def test_a_body_of_50_megabytes_is_refused(keyed, honest):
    client, keys = keyed
    piece = b"x" * (1 << 20)
    content = piece * 50 if honest else (piece for _ in range(50))
    for headers in (bearer(keys["service"]), {}):
        answer = send(client, "POST", "/v1/chat/completions", headers, content)
        assert answer.status_code in ((413,) if headers else (401, 413))
        assert is_envelope(answer)
        content = piece * 50 if honest else (piece for _ in range(50))


@pytest.mark.parametrize(
    "name", [".", "..", "a\x00b", "a\nb", "\x1b[2J", "a" * 257, "\ud800", "a\u202eb"],
    ids=["dot", "dots", "null", "line", "escape", "long", "half", "turned"],
)  # fmt: skip
def test_an_id_that_can_be_nobodys_is_refused(keyed, engine, tmp_path, name):
    client, keys = keyed
    before = fingerprint(tmp_path, engine)
    for path, body in BODIES.items():
        sent = json.dumps({**body, "user": name}).encode()
        answer = send(client, "POST", path, bearer(keys["service"]), sent)
        assert answer.status_code == 422, path
        assert is_envelope(answer)
    assert fingerprint(tmp_path, engine) == before


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%00", "..", "%2e%2e", "ada%0a"])
def test_tricks_in_a_path_lead_nowhere(keyed, name):
    client, keys = keyed
    answer = client.get(f"/v1/models/{name}", headers=bearer(keys["service"]))
    assert answer.status_code == 404
    assert is_envelope(answer)


def test_a_key_is_good_for_so_many_requests_a_minute(engine):
    key, other = (engine.store.keys.create()[0] for _ in range(2))
    app = create_app(engine, Settings(backend="echo", rate=3))
    with TestClient(app, base_url=LOCAL) as client:
        for _ in range(3):
            assert client.get("/v1/models", headers=bearer(key)).status_code == 200
        answer = client.get("/v1/models", headers=bearer(key))
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 20
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"
        assert client.get("/v1/models", headers=bearer(other)).status_code == 200


def test_a_bucket_fills_again():
    now = [0.0]
    rates = Rates(60, lambda: now[0])
    for _ in range(60):
        rates.take("a")
    with pytest.raises(TooMany) as told:
        rates.take("a")
    assert told.value.wait == pytest.approx(1)
    now[0] = 1.0
    rates.take("a")
    with pytest.raises(TooMany):
        rates.take("a")


def test_a_request_that_takes_too_long_is_given_up(engine, monkeypatch):
    monkeypatch.setattr(engine.lm, "generate", lambda plans: time.sleep(1) or [])
    app = create_app(engine, Settings(backend="echo", deadline=0.05))
    with TestClient(app, base_url=LOCAL) as client:
        answer = client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "too_slow"


def test_what_goes_wrong_inside_is_not_told(engine, served_as, monkeypatch, caplog):
    def fails(plans):
        raise RuntimeError("Ada's secret")

    monkeypatch.setattr(engine.lm, "generate", fails)
    app = create_app(engine, served_as)
    with caplog.at_level("INFO", "ipse.server"), TestClient(app, base_url=LOCAL) as client:
        answer = client.post("/v1/chat/completions", json={**CHAT, "user": "ada"})
    assert answer.status_code == 500
    assert is_envelope(answer)
    assert "secret" not in answer.text + caplog.text
    (line,) = [json.loads(record.message) for record in caplog.records]
    assert (line["error"], line["status"], line["level"]) == ("RuntimeError", 500, "error")
    assert line["request"] == answer.headers["x-request-id"]
    assert any(place.startswith("fails:") for place in line["where"])


def test_to_listen_to_other_machines_needs_a_key(engine):
    assert check_safe(engine, Settings())
    for host in ("0.0.0.0", "::", "192.0.2.7", "localhost.example"):
        with pytest.raises(UsageError, match="ipse keys create --service"):
            check_safe(engine, Settings(host=host))
    engine.store.keys.create()
    assert not check_safe(engine, Settings(host="0.0.0.0"))


def test_a_server_that_was_open_closes_with_the_first_key(client, engine):
    assert client.get("/v1/models").status_code == 200
    engine.store.keys.create("ada")
    assert client.get("/v1/models").status_code == 401


def test_what_lives_as_long_as_the_server_is_kept_from_the_collector(client):
    try:
        settle(client.app.state.served)
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
