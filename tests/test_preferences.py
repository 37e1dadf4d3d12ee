"""What a person preferred to what, whichever way they told it."""

from datetime import UTC, datetime, timedelta

import pytest

from ipse.preferences import disputed, pairs, rated
from ipse.records import Record, User

START = datetime(2026, 1, 1, tzinfo=UTC)


def view(*records):
    return User("ada", tuple(records))


def chose(minute, chosen, rejected, prompt="Tea?", **meta):
    return Record(
        user="ada", kind="preference", input=prompt, output=chosen, rejected=rejected,
        time=START + timedelta(minutes=minute), meta=meta,
    )  # fmt: skip


def gave(minute, reply, rating, prompt="Tea?"):
    return Record(
        user="ada", kind="interaction", input=prompt, output=rating, meta={"reply": reply},
        time=START + timedelta(minutes=minute),
    )  # fmt: skip


def told(*records, **options):
    return [(p.chosen, p.rejected, p.how, p.tie) for p in pairs(view(*records), **options)]


def test_a_choice_and_an_edit_say_it_outright():
    records = (chose(0, "Yes.", "No."), chose(1, "Yes, please.", "Yes.", how="edit"))
    assert told(*records) == [
        ("Yes.", "No.", "choice", False),
        ("Yes, please.", "Yes.", "edit", False),
    ]


def test_of_the_same_two_texts_the_latest_word_counts_and_both_are_found():
    records = (chose(0, "Yes.", "No."), chose(1, "Hm.", "No."), chose(2, "No.", "Yes."))
    assert told(*records) == [("Hm.", "No.", "choice", False), ("No.", "Yes.", "choice", False)]
    ((before, after),) = disputed(view(*records))
    assert (before.chosen, after.chosen) == ("Yes.", "No.")


def test_ties_are_ties_and_only_given_to_who_asks():
    records = (chose(0, "Yes.", "No.", tie=True),)
    assert told(*records) == []
    assert told(*records, ties=True) == [("Yes.", "No.", "choice", True)]


def test_a_tie_takes_an_earlier_choice_back():
    records = (chose(0, "Yes.", "No."), chose(1, "Yes.", "No.", tie=True))
    assert told(*records) == []


def test_ratings_under_one_prompt_are_pairs_where_they_differ():
    records = (gave(0, "Yes.", "2"), gave(1, "No.", "5"), gave(2, "Hm.", "5"))
    assert told(*records) == [
        ("No.", "Yes.", "rating", False),
        ("Hm.", "Yes.", "rating", False),
    ]
    assert ("No.", "Hm.", "rating", True) in told(*records, ties=True)


def test_ratings_under_two_prompts_and_on_two_scales_are_not_compared():
    assert told(gave(0, "Yes.", "2"), gave(1, "No.", "5", prompt="Coffee?")) == []
    assert told(gave(0, "Yes.", "2"), gave(1, "No.", "up")) == []
    assert told(gave(0, "Yes.", "down"), gave(1, "No.", "up")) == [("No.", "Yes.", "thumb", False)]


def test_a_new_rating_takes_the_old_ones_place():
    assert told(gave(0, "Yes.", "2"), gave(1, "No.", "5"), gave(2, "Yes.", "5")) == []


@pytest.mark.parametrize("output", ["nan", "inf", "good"])
def test_what_is_no_number_rates_nothing(output):
    assert rated(gave(0, "Yes.", output)) is None


def test_a_pair_names_the_records_that_say_so():
    records = (gave(0, "Yes.", "2"), gave(1, "No.", "5"))
    (pair,) = pairs(view(*records))
    assert set(pair.records) == {record.id for record in records}
    assert pair.time == records[1].time


def test_of_very_many_answers_to_one_prompt_the_last_ones_that_were_rated_are_compared():
    rates = [gave(n, f"answer {n}", str(n % 5 + 1)) for n in range(1000)]
    found = pairs(view(*rates), ties=True)
    assert len(found) == 40 * 39 // 2
    assert {text for pair in found for text in (pair.chosen, pair.rejected)} == {
        f"answer {n}" for n in range(960, 1000)
    }
