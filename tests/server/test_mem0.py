"""mem0's verbs and bodies."""

import pytest

from tests.server.conftest import bearer

TEA = {"messages": [{"role": "user", "content": "I like green tea."}], "user_id": "eve"}


@pytest.fixture
def tea(client):
    return client.post("/v1/memories/", json={**TEA, "metadata": {"topic": "food"}}).json()


def test_add_keeps_what_the_person_said_and_nothing_else(client, engine):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I like green tea."},
        {"role": "assistant", "content": "Noted!"},
        {"role": "user", "content": "And rice."},
    ]
    sent = {"messages": turns, "user_id": "eve", "run_id": "r1", "infer": False}
    results = client.post("/v3/memories/add/", json=sent).json()["results"]
    assert [(each["memory"], each["event"]) for each in results] == [
        ("I like green tea.", "ADD"),
        ("And rice.", "ADD"),
    ]
    assert [record.output for record in engine.store.user("eve").records] == [
        "I like green tea.",
        "And rice.",
    ]


@pytest.mark.parametrize("messages", ["I like tea.", {"role": "user", "content": "I like tea."}])
def test_messages_may_be_one_text_or_one_message(client, messages):
    sent = {"messages": messages, "user_id": "eve"}
    (result,) = client.post("/v1/memories/", json=sent).json()["results"]
    assert result["memory"] == "I like tea."


def test_a_memory_is_got_updated_and_deleted_under_one_id(client, engine, tea):
    name = tea["results"][0]["id"]
    address = f"/v1/memories/{name}/"
    got = client.get(address).json()
    assert (got["memory"], got["user_id"]) == ("I like green tea.", "eve")
    assert (got["metadata"], got["created_at"]) == ({"topic": "food"}, got["updated_at"])
    updated = client.put(address, json={"text": "I like black tea."}).json()
    assert (updated["id"], updated["memory"]) == (name, "I like black tea.")
    got = client.get(address).json()
    assert (got["memory"], got["metadata"]) == ("I like black tea.", {"topic": "food"})
    assert got["updated_at"] > got["created_at"]
    events = client.get(f"{address}history/").json()
    assert [(e["event"], e["new_memory"]) for e in events] == [
        ("ADD", None),
        ("UPDATE", "I like black tea."),
    ]
    assert {e["memory_id"] for e in events} == {name}
    assert "deleted" in client.delete(address).json()["message"]
    assert client.get(address).status_code == 404
    assert client.get(f"{address}history/").status_code == 404
    assert len(engine.store.users().items) == 2


@pytest.mark.parametrize(
    "path", ["/v1/memories/search/", "/v2/memories/search/", "/v3/memories/search/"]
)
def test_search_finds_by_meaning_and_filters(client, tea, path):
    client.post("/v1/memories/", json={**TEA, "messages": "I like tea in bed."})
    whose = {"filters": {"AND": [{"user_id": "eve"}, {"topic": "food"}]}}
    found = client.post(path, json={"query": "tea", "top_k": 5, **whose}).json()["results"]
    assert [each["memory"] for each in found] == ["I like green tea."]
    assert 0 < found[0]["score"] < 1
    everything = client.post(path, json={"query": "tea", "user_id": "eve"}).json()["results"]
    assert len(everything) == 2
    none = client.post(path, json={"query": "tea", "user_id": "eve", "threshold": 1.0}).json()
    assert none["results"] == []


def test_get_all_is_paged(client):
    for n in range(5):
        client.post("/v1/memories/", json={**TEA, "messages": f"Fact {n}."})
    pages = [
        client.post(
            f"/v3/memories/?page={n}&page_size=2", json={"filters": {"user_id": "eve"}}
        ).json()
        for n in (1, 2, 3)
    ]
    assert [each["memory"] for page in pages for each in page["results"]] == [
        f"Fact {n}." for n in (4, 3, 2, 1, 0)
    ]
    assert [(page["count"], bool(page["next"]), bool(page["previous"])) for page in pages] == [
        (5, True, False),
        (5, True, True),
        (5, False, True),
    ]
    assert len(client.get("/v1/memories/", params={"user_id": "eve"}).json()["results"]) == 5


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"topic": "food"}, 1),
        ({"topic": {"ne": "food"}}, 1),
        ({"topic": {"in": ["food", "sport"]}}, 1),
        ({"topic": {"contains": "oo"}}, 1),
        ({"topic": "*"}, 1),
        ({"NOT": [{"topic": "food"}]}, 1),
        ({"OR": [{"topic": "food"}, {"mood": "good"}]}, 1),
        ({"created_at": {"gte": "2020-01-01"}}, 2),
        ({"created_at": {"lt": "2020-01-01T00:00:00Z"}}, 0),
        ({"topic": {"gt": 3}}, 0),
    ],
)
def test_filters(client, tea, filters, count):
    client.post("/v1/memories/", json={**TEA, "messages": "I swim."})
    body = {"filters": {"AND": [{"user_id": "eve"}, filters]}}
    assert client.post("/v2/memories/", json=body).json()["count"] == count


@pytest.mark.parametrize(
    "filters",
    [
        {"topic": {"like": "x"}},
        {"OR": {"topic": "x"}},
        {"user_id": {"in": ["eve", "ada"]}},
        {"created_at": "soon"},
        {"AND": [{"user_id": "eve"}, {"user_id": "ada"}]},
    ],
)
def test_what_is_no_filter_is_refused(client, tea, filters):
    answer = client.post("/v2/memories/", json={"user_id": "eve", "filters": filters})
    assert answer.status_code == 422


def test_delete_all_forgets_the_person(client, engine, tea):
    assert client.delete("/v1/memories/?user_id=eve&run_id=r1").status_code == 422
    answer = client.delete("/v1/memories/?user_id=eve").json()
    assert len(answer["receipt"]["records"]) == 1
    assert client.delete("/v1/memories/?user_id=eve").json()["receipt"] is None
    assert client.delete("/v1/memories/").status_code == 422


def test_a_persons_key_reaches_no_memory_of_anybody_else(client, engine, tea):
    name = tea["results"][0]["id"]
    headers = {"Authorization": f"Token {engine.store.keys.create('ada')[0]}"}
    assert client.get("/v1/ping/", headers=headers).json()["status"] == "ok"
    for method, path in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "history/")]:
        body = {"text": "mine"} if method == "PUT" else None
        address = f"/v1/memories/{name}/{path}"
        assert client.request(method, address, headers=headers, json=body).status_code == 404
        named = client.request(method, f"{address}?user_id=eve", headers=headers, json=body)
        assert named.status_code == 403
    assert (
        client.post("/v2/memories/search/", headers=headers, json={"query": "tea"}).status_code
        == 200
    )
    assert client.get(f"/v1/memories/{name}/").status_code == 401
    service = bearer(engine.store.keys.create()[0])
    assert client.get(f"/v1/memories/{name}/", headers=service).json()["user_id"] == "eve"


def test_what_would_be_promised_and_not_held_is_refused(client):
    assert (
        client.post("/v1/memories/", json={**TEA, "expiration_date": "2030-01-01"}).status_code
        == 422
    )
