"""Whatever is put in comes out equal, from the store and from an export."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipse.records import KINDS, USES, Record
from tests.store.samples import made_from, same_state

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
SAID = TEXT.filter(str.strip)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


@st.composite
def people_records(draw):
    kind, output = draw(st.sampled_from(KINDS)), draw(SAID)
    return Record(
        user=draw(st.sampled_from(["ada", "böb"])),
        kind=kind,
        output=output,
        input=draw(TEXT),
        rejected=output + draw(SAID) if kind == "preference" else None,
        time=draw(MOMENTS),
        source=draw(st.sampled_from(["", "chat 1"])),
        meta=draw(st.dictionaries(TEXT, JSON, max_size=2)),
        uses=draw(st.frozensets(st.sampled_from(USES))),
    )


def emptied(store):
    """One store serves many examples."""
    for person in store.users().items:
        store.forget_user(person.id)
    return store


@pytest.fixture(scope="module")
def stores(template, tmp_path_factory):
    folders = [tmp_path_factory.mktemp("examples") for _ in range(2)]
    with template[0](folders[0]) as one, template[0](folders[1]) as other:
        yield one, other


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@settings(max_examples=20, deadline=None)
@given(items=st.lists(people_records(), max_size=6))
def test_records_come_back_equal_and_in_order(stores, items):
    store = emptied(stores[0])
    store.add(items)
    for user in {item.user for item in items}:
        theirs = {item for item in items if item.user == user}
        expected = sorted(theirs, key=lambda item: (item.time, item.id))
        assert list(store.user(user).records) == expected


@settings(max_examples=20, deadline=None)
@given(items=st.lists(people_records(), min_size=1, max_size=6), moment=MOMENTS)
def test_a_view_before_a_moment_is_the_whole_view_cut(stores, items, moment):
    store = emptied(stores[0])
    store.add(items)
    user = items[0].user
    view = store.user(user, before=moment)
    assert view == store.user(user).before(moment)
    assert all(item.time < moment for item in view.records)


@settings(max_examples=10, deadline=None)
@given(
    items=st.lists(people_records(), min_size=1, max_size=5),
    facts=st.dictionaries(TEXT, JSON, max_size=3),
    values=st.lists(st.floats(width=32), max_size=5),
)
def test_an_export_brings_everything_into_another_store(stores, folder, items, facts, values):
    (store, other), user = map(emptied, stores), items[0].user
    store.add(items)
    theirs = store.user(user)
    first = made_from(theirs.records, user, arrays={"v": np.array(values, "f4")}, facts=facts)
    parent = store.keep(first)
    child = store.keep(made_from([], user, method="child", parents=[parent]))
    store.export_user(user, folder / "export.zip")
    other.import_user(folder / "export.zip")
    assert other.user(user) == theirs
    for kept in (parent, child):
        assert same_state(other.state(kept.key), kept)
