"""What mem0's own client sends (`mem0.MemoryClient` of mem0ai 2.2.1), byte for byte, in its order.

Recorded from `MemoryClient(api_key="ipse", host="http://127.0.0.1:8000")` against `ipse serve
--backend echo`: its constructor, then add, search, get_all, get, update, history, delete and
delete_all. `{id}` is the id of the first memory.
"""

import hashlib

import pytest

from ipse.store import Keys
from tests.server.conftest import bearer

HEADERS = {
    "Accept": "*/*",
    "User-Agent": "python-httpx/0.28.1",
    "Authorization": "Token ipse",
    "Mem0-User-ID": hashlib.md5(b"ipse").hexdigest(),
    "X-Mem0-Client": "mem0-python/2.2.1",
}
SENT = {
    "begin": ("GET", "/v1/ping/", ""),
    "add": (
        "POST",
        "/v3/memories/add/",
        '{"messages":[{"role":"user","content":"I never eat meat."}],'
        '"user_id":"eve","metadata":{"topic":"food"}}',
    ),
    "add-talk": (
        "POST",
        "/v3/memories/add/",
        '{"messages":[{"role":"user","content":"I love tea."},'
        '{"role":"assistant","content":"Noted."}],"user_id":"eve","infer":false}',
    ),
    "search": (
        "POST",
        "/v3/memories/search/",
        '{"query":"food","filters":{"user_id":"eve"},"top_k":5}',
    ),
    "search-filtered": (
        "POST",
        "/v3/memories/search/",
        '{"query":"food","filters":{"AND":[{"user_id":"eve"},{"topic":"food"}]},'
        '"rerank":true,"threshold":0.1}',
    ),
    "get-all": ("POST", "/v3/memories/", '{"filters":{"user_id":"eve"}}'),
    "get-all-paged": (
        "POST",
        "/v3/memories/?page=1&page_size=1",
        '{"filters":{"user_id":"eve"}}',
    ),
    "get": ("GET", "/v1/memories/{id}/", ""),
    "update": (
        "PUT",
        "/v1/memories/{id}/",
        '{"text":"I eat fish.","metadata":{"topic":"fish"}}',
    ),
    "history": ("GET", "/v1/memories/{id}/history/", ""),
    "delete": ("DELETE", "/v1/memories/{id}/", ""),
    "get-deleted": ("GET", "/v1/memories/{id}/", ""),
    "delete-all": ("DELETE", "/v1/memories/?user_id=eve", ""),
    "get-all-after": ("POST", "/v3/memories/", '{"filters":{"user_id":"eve"}}'),
}


@pytest.fixture
def answers(client):
    """What is answered to each of them."""
    found, first = {}, ""
    for name, (method, path, body) in SENT.items():
        headers = {**HEADERS, **({"Content-Type": "application/json"} if body else {})}
        found[name] = client.request(
            method, path.replace("{id}", first), content=body.encode(), headers=headers
        )
        if name == "add":
            first = found[name].json()["results"][0]["id"]
    return found


def test_its_requests_are_answered_as_it_expects(answers):
    said = {name: each.json() for name, each in answers.items()}
    codes = {name: each.status_code for name, each in answers.items()}
    assert codes == dict.fromkeys(SENT, 200) | {"get-deleted": 404}
    assert said["begin"]["org_id"]  # a client that is told of none refuses to begin
    assert said["begin"]["project_id"]
    (added,) = said["add"]["results"]
    assert (added["memory"], added["event"]) == ("I never eat meat.", "ADD")
    assert [each["memory"] for each in said["add-talk"]["results"]] == ["I love tea."]
    assert {each["memory"] for each in said["search"]["results"]} == {
        "I never eat meat.",
        "I love tea.",
    }
    (meant,) = said["search-filtered"]["results"]
    assert (meant["id"], meant["metadata"]) == (added["id"], {"topic": "food"})
    assert isinstance(meant["score"], float)
    assert (said["get-all"]["count"], len(said["get-all-paged"]["results"])) == (2, 1)
    assert (said["get"]["id"], said["get"]["user_id"]) == (added["id"], "eve")
    assert (said["update"]["id"], said["update"]["memory"]) == (added["id"], "I eat fish.")
    assert [each["event"] for each in said["history"]] == ["ADD", "UPDATE"]
    assert said["delete"]["message"]
    assert said["delete-all"]["message"]
    assert said["get-all-after"]["results"] == []


def test_its_token_is_a_key(client, engine):
    keys: Keys = engine.store.keys
    secret, _ = keys.create("eve")
    ping = {**HEADERS, "Authorization": f"Token {secret}"}
    assert client.get("/v1/ping/", headers=ping).status_code == 200
    assert client.get("/v1/ping/", headers=HEADERS).status_code == 401
    assert client.get("/v1/ping/", headers=bearer(secret)).json()["org_id"]
