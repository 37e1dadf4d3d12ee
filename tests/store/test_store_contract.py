"""What every store does, whatever database is under it."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from ipse.errors import Conflict, UnknownRecord, UnknownUser, UsageError
from ipse.store import Added, Person
from tests.store.samples import START, batch, made_from, record

_BIG = base64.urlsafe_b64encode(b'[1180591620717411303424, "x"]').decode()
_HALF = base64.urlsafe_b64encode(b'[1, "\\ud800"]').decode()


def test_what_is_added_is_given_back(store):
    items = batch(3)
    assert store.add(items) == Added(new=3, known=0)
    assert store.user("ada").records == tuple(items)
    assert store.record(items[1].id) == items[1]
    assert store.count() == 3


def test_records_of_several_people_are_added_in_one_go(store):
    store.add([*batch(2, "ada"), *batch(3, "bob")])
    assert (len(store.user("ada")), len(store.user("bob"))) == (2, 3)


def test_a_record_that_is_known_is_not_added_again(store):
    store.add(batch(2))
    assert store.add([*batch(3), record(2)]) == Added(new=1, known=3)
    assert store.revision("ada") == 2
    assert store.add(batch(3)) == Added(new=0, known=3)
    assert store.revision("ada") == 2


@pytest.mark.parametrize("known", [True, False])
def test_a_conflict_leaves_nothing_behind(store, known):
    first, second = record(1, id="one"), record(2, id="one")
    items = [record(7), second] if known else [record(7), first, second]
    if known:
        store.add([first])
    with pytest.raises(Conflict, match="'one' is taken"):
        store.add(items)
    assert store.count() == int(known)


def test_an_id_taken_by_another_person_is_a_conflict_that_does_not_name_them(store):
    store.add([record(1, "bob-the-secret", id="one")])
    with pytest.raises(Conflict) as caught:
        store.add([record(1, "ada", id="one")])
    assert "bob" not in str(caught.value)


def test_a_view_is_strictly_before_its_time(store):
    store.add(batch(5))
    moment = START + timedelta(hours=3)
    assert [r.output for r in store.user("ada", before=moment).records] == [
        "text 0",
        "text 1",
        "text 2",
    ]
    assert store.user("ada", before=moment) == store.user("ada").before(moment)
    assert len(store.user("ada", before=moment + timedelta(microseconds=1))) == 4


def test_a_time_without_a_zone_is_refused(store):
    store.add(batch(1))
    with pytest.raises(UsageError, match="time zone"):
        store.user("ada", before=datetime(2024, 1, 1))


def test_the_latest_of_some_kinds(store):
    store.add([record(n, kind="dialogue" if n % 2 else "content") for n in range(9)])
    view = store.user("ada", kinds=["dialogue"], latest=2)
    assert [r.output for r in view.records] == ["text 5", "text 7"]
    assert store.user("ada", kinds=[]).records == ()
    assert store.user("ada", latest=0).records == ()
    with pytest.raises(UsageError, match="-1"):
        store.user("ada", latest=-1)


def test_records_of_the_same_moment_stand_in_the_order_of_their_ids(store):
    items = [record(0, id=name) for name in ("é", "b", "B", "a")]
    store.add(items)
    assert [r.id for r in store.user("ada").records] == ["B", "a", "b", "é"]
    assert [r.id for r in store.user("ada", latest=2).records] == ["b", "é"]


def test_pages_together_are_all_records_newest_first(store):
    store.add([*batch(7), *batch(4, "bob"), record(3, output="same moment")])
    seen, cursor = [], None
    while True:
        page = store.records("ada", limit=3, cursor=cursor)
        seen.extend(page.items)
        if (cursor := page.cursor) is None:
            break
    assert seen == list(reversed(store.user("ada").records))
    assert store.records("nobody").items == ()


@pytest.mark.parametrize("cursor", ["", "nonsense", "W10=", "WzEsIDJd", "é", "\ud800", _BIG, _HALF])
def test_a_made_up_cursor_is_refused(store, cursor):
    with pytest.raises(UsageError, match="no cursor"):
        store.records("ada", cursor=cursor)


def test_a_made_up_cursor_of_people_is_refused(store):
    with pytest.raises(UsageError, match="no cursor"):
        store.users(cursor=base64.urlsafe_b64encode(b'["\\ud800"]').decode())


@pytest.mark.parametrize("limit", [0, 2**31, 2**63])
def test_a_limit_out_of_range_is_refused_with_the_range(store, limit):
    for read in (store.users, partial(store.records, "ada")):
        with pytest.raises(UsageError, match=f"between 1 and 2147483647; got {limit}"):
            read(limit=limit)
    store.add(batch(1))
    with pytest.raises(UsageError, match="latest must be between 0 and 2147483647; got -1"):
        store.user("ada", latest=-1)


def test_a_name_that_is_no_text_is_nobodys(store):
    for read in (store.user, store.forget_user):
        with pytest.raises(UnknownUser):
            read("\udcff")
    with pytest.raises(UnknownRecord):
        store.record("\udcff")
    with pytest.raises(UnknownRecord):
        store.record("a", "\udcff")
    assert (store.revision("\udcff"), store.records("\udcff").items) == (0, ())
    assert store.states("\udcff") == []


def test_everybody_is_everyone_in_order(store, monkeypatch):
    monkeypatch.setattr("ipse.store.store._PAGE", 2)
    assert list(store.everybody()) == []
    store.add([record(0, user) for user in ("eve", "ada", "bob", "dan")])
    assert list(store.everybody()) == ["ada", "bob", "dan", "eve"]


def test_a_cursor_of_one_person_shows_nothing_to_another(store):
    store.add([*batch(4, "bob"), *batch(4, "ada")])
    cursor = store.records("bob", limit=1).cursor
    assert {r.user for r in store.records("ada", cursor=cursor).items} == {"ada"}


def test_people_are_listed_with_their_span(store):
    store.add([*batch(3, "bob"), *batch(1, "ada"), *batch(2, "eve")])
    page = store.users(limit=2)
    hours = [START + timedelta(hours=n) for n in range(3)]
    assert page.items == (
        Person("ada", 1, hours[0], hours[0]),
        Person("bob", 3, hours[0], hours[2]),
    )
    rest = store.users(limit=2, cursor=page.cursor)
    assert ([p.id for p in rest.items], rest.cursor) == (["eve"], None)


def test_a_revision_moves_with_its_own_person_only(store):
    assert store.revision("ada") == 0
    store.add(batch(2))
    store.add(batch(2, "bob"))
    before = store.revision("ada"), store.revision("bob")
    store.add([record(8)])
    store.forget_record(record(0).id)
    assert (store.revision("ada"), store.revision("bob")) == (before[0] + 2, before[1])


def test_who_comes_back_never_meets_an_old_revision(store):
    store.add(batch(1))
    store.add([record(5)])
    last = store.revision("ada")
    store.forget_user("ada")
    assert store.revision("ada") == 0
    store.add(batch(1))
    assert store.revision("ada") > last


def test_what_is_unknown_is_said_without_naming_anyone(store):
    items = batch(1, "bob-the-secret")
    store.add(items)
    wrong = [
        (UnknownUser, lambda: store.user("bob")),
        (UnknownUser, lambda: store.forget_user("bob")),
        (UnknownRecord, lambda: store.record("bob")),
        (UnknownRecord, lambda: store.record(items[0].id, "ada")),
        (UnknownRecord, lambda: store.forget_record(items[0].id, "ada")),
        (UnknownRecord, lambda: store.replace(items[0].id, record(9, "ada"))),
    ]
    for error, call in wrong:
        with pytest.raises(error) as caught:
            call()
        assert "secret" not in str(caught.value)
    assert store.count() == 1


def test_a_replaced_record_takes_what_was_made_from_it_along(store):
    items = batch(2)
    store.add(items)
    kept = store.keep(made_from(items))
    receipt = store.replace(items[0].id, record(0, output="corrected"))
    assert receipt.records == (items[0].id,)
    assert [s.id for s in receipt.states] == [kept.id]
    assert [r.output for r in store.user("ada").records] == ["corrected", "text 1"]
    assert store.state(kept.key) is None


def test_a_replacement_may_keep_the_id_and_the_only_record_may_be_replaced(store):
    store.add([record(0, id="one")])
    store.replace("one", record(0, id="one", output="corrected"))
    assert store.record("one").output == "corrected"


def test_a_replacement_that_conflicts_changes_nothing(store):
    store.add([record(0, id="one"), record(1, id="two")])
    with pytest.raises(Conflict):
        store.replace("one", record(5, id="two"))
    assert store.record("one") == record(0, id="one")


def test_a_closed_store_has_kept_everything(store, reopen):
    items = batch(3)
    store.add(items)
    kept = store.keep(made_from(items))
    store.close()
    again = reopen()
    assert again.user("ada").records == tuple(items)
    assert again.state(kept.key).id == kept.id


def test_two_open_stores_see_each_other(store, reopen):
    other = reopen()
    store.add(batch(2))
    assert len(other.user("ada")) == 2
    other.forget_user("ada")
    assert store.count() == 0


def test_uses_rejected_source_and_meta_are_kept(store):
    item = record(
        kind="preference",
        rejected="no",
        source="a.json",
        meta={"b": [1, None], "a": {"é": 1.5}},
        uses=frozenset({"share"}),
    )
    store.add([item])
    assert store.record(item.id) == item
    assert store.add([replace(item, meta={"a": {"é": 1.5}, "b": [1, None]})]).known == 1
