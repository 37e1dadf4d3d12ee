from __future__ import annotations

import json

import pytest

from ipse.errors import Conflict, InvalidFile
from ipse.evaluation.ledger import COSTS, RESULTS, Ledger, read_run

HEADER = {"type": "run", "run": "r1", "commit": "c1"}


def item(n):
    return {"type": "item", "n": n}


@pytest.fixture
def written(tmp_path):
    with Ledger.open(tmp_path, HEADER) as ledger:
        ledger.write("one", [item(1), item(2)], [{"type": "cost", "seconds": 1}])
        ledger.write("two", [item(3)])
    return tmp_path


def test_what_is_written_is_read_back(written):
    run = read_run(written)
    assert run.header == HEADER
    assert [line["n"] for line in run.items] == [1, 2, 3]
    assert run.costs == ({"type": "cost", "seconds": 1},)
    assert read_run(written / RESULTS).items == run.items


def test_a_run_goes_on_with_the_units_that_are_missing(written):
    whole = (written / RESULTS).read_bytes()
    with Ledger.open(written, HEADER) as ledger:
        assert ledger.done == {"one", "two"}
    assert (written / RESULTS).read_bytes() == whole


def test_wherever_a_file_was_cut_off_it_resumes_at_a_whole_unit(written, tmp_path):
    whole = (written / RESULTS).read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        (written / RESULTS).write_bytes(whole[:cut])
        with Ledger.open(written, HEADER) as ledger:
            done = set(ledger.done)
            kept = (written / RESULTS).read_bytes()
        # Lines: the header, two items and their end, one item and its end.
        assert done == {"one"} if ends[3] <= cut < ends[5] else done == set()
        assert kept == whole[: ends[3] if ends[3] <= cut else ends[0]]


def test_lines_of_a_unit_that_is_not_closed_are_not_read(written):
    with (written / RESULTS).open("ab") as file:
        file.write(json.dumps(item(4)).encode() + b"\n")
    assert [line["n"] for line in read_run(written).items] == [1, 2, 3]


def test_another_run_is_refused_and_said_how_it_differs(written):
    before = (written / RESULTS).read_bytes()
    with pytest.raises(Conflict, match=r"its commit is 'c1', not 'c2'.*--fresh"):
        Ledger.open(written, {**HEADER, "commit": "c2"})
    assert (written / RESULTS).read_bytes() == before


def test_two_processes_do_not_write_one_run(written):
    with Ledger.open(written, HEADER), pytest.raises(Conflict, match="another process"):
        Ledger.open(written, HEADER)


def test_costs_cut_off_are_cut(written):
    with (written / COSTS).open("ab") as file:
        file.write(b'{"type": "co')
    with Ledger.open(written, HEADER) as ledger:
        ledger.note([{"type": "cost", "seconds": 2}])
    assert [line["seconds"] for line in read_run(written).costs] == [1, 2]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InvalidFile, match="cannot read"):
        read_run(tmp_path)
    (tmp_path / RESULTS).write_text('{"type": "item"}\n')
    with pytest.raises(InvalidFile, match="is no results file"):
        read_run(tmp_path)


def test_half_a_character_is_no_reason_to_stop(tmp_path):
    with Ledger.open(tmp_path, HEADER) as ledger:
        ledger.write("one", [{"type": "item", "output": "\ud83d é"}])
    assert read_run(tmp_path).items[0]["output"] == "? é"


def test_damage_in_the_middle_is_no_end(written):
    lines = (written / RESULTS).read_bytes().splitlines(keepends=True)
    (written / RESULTS).write_bytes(b"".join([lines[0], b"{broken}\n", *lines[1:]]))
    before = (written / RESULTS).read_bytes()
    with pytest.raises(InvalidFile, match=r"results\.jsonl:2 is damaged"):
        read_run(written)
    with pytest.raises(InvalidFile, match=r"results\.jsonl:2 is damaged"):
        Ledger.open(written, HEADER)
    assert (written / RESULTS).read_bytes() == before
