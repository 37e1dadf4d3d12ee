from __future__ import annotations

import pytest

from ipse.errors import Conflict, Forbidden, InvalidRecord, Unknown, UsageError
from ipse.server.identity import Caller, named, needed, person
from tests.server.conftest import bearer

ADA = Caller("k1", "ada", acting=False)
SERVICE = Caller("k2", None, acting=True)
ASKED = {"model": "ipse", "messages": [{"role": "user", "content": "Which tea?"}]}


def test_a_persons_key_is_good_for_that_person_alone():
    assert person(ADA, None) == "ada"
    assert person(ADA, "ada") == "ada"
    with pytest.raises(Forbidden, match="not good for 'bob'"):
        person(ADA, "bob")


def test_a_service_names_the_person_or_nobody():
    assert person(SERVICE, "bob") == "bob"
    assert person(SERVICE, None) is None
    assert named("", None) is None
    with pytest.raises(UsageError, match="X-Ipse-User"):
        needed(SERVICE, None)


def test_two_names_are_refused():
    assert named("ada", "ada", None) == "ada"
    with pytest.raises(UsageError, match="names 2 people: 'ada', 'bob'"):
        named("ada", "bob")


@pytest.mark.parametrize("name", [".", "..", "a\x00b", "a\nb", "a" * 257, "\ud800"])
def test_an_id_that_can_be_nobodys_is_refused(name):
    with pytest.raises(UsageError):
        person(SERVICE, name)


def test_a_key_is_found_until_it_is_revoked(engine):
    keys = engine.store.keys
    assert not keys.any()
    text, key = keys.create("ada")
    assert text.startswith(f"ipse-{key.id}-")
    assert keys.find(text) == key
    assert keys.find(text[:-1] + ("A" if text[-1] != "A" else "B")) is None
    assert keys.revoke(f"ipse-{key.id}").revoked is not None
    assert keys.find(text) is None
    assert keys.any(), "a server whose keys are all revoked is not open"
    with pytest.raises(Conflict, match="revoked at"):
        keys.revoke(key.id)
    with pytest.raises(Unknown, match="ipse keys list"):
        keys.revoke("nothing")


def test_a_key_for_an_id_that_can_be_nobodys_is_refused(engine):
    with pytest.raises(InvalidRecord):
        engine.store.keys.create("a\nb")


def test_no_key_is_kept_as_it_is(engine, tmp_path):
    text, _ = engine.store.keys.create()
    kept = b"".join(p.read_bytes() for p in tmp_path.glob("ipse.db*") if p.is_file())
    assert text[-43:].encode() not in kept


def test_without_keys_everyone_on_this_machine_may_act(client):
    answer = client.post("/v1/chat/completions", json={**ASKED, "user": "ada"})
    assert answer.status_code == 200
    assert "[user] Which tea?" in answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}],
    ids=["another host", "another origin", "no origin"],
)
def test_without_keys_no_other_sites_page_is_answered(client, headers):
    answer = client.post("/v1/chat/completions", json=ASKED, headers=headers)
    assert answer.status_code == 403


def test_with_a_key_in_the_store_one_is_asked_for(client, engine):
    text, key = engine.store.keys.create("ada")
    for headers in ({}, bearer("nonsense"), bearer(text[:-1]), {"Authorization": "Basic YTpi"}):
        answer = client.post("/v1/chat/completions", json=ASKED, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
    answer = client.post("/v1/chat/completions", json=ASKED, headers=bearer(text))
    assert answer.status_code == 200
    bob = client.post("/v1/chat/completions", json={**ASKED, "user": "bob"}, headers=bearer(text))
    assert bob.status_code == 403
    assert bob.json()["error"]["type"] == "permission_error"
    engine.store.keys.revoke(key.id)
    answer = client.post("/v1/chat/completions", json=ASKED, headers=bearer(text))
    assert answer.status_code == 401
