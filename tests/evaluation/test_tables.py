from __future__ import annotations

from dataclasses import replace

import pytest

from ipse.evaluation.curves import bands, lines
from ipse.evaluation.plots import frontier, gain_by_history, gains
from ipse.evaluation.report import Example, size, write_report
from ipse.evaluation.stats import compare
from ipse.evaluation.tabulate import tables


@pytest.fixture(scope="module")
def drawn(found):
    return tables(found)


def test_there_is_a_table_for_each_measure(drawn):
    assert [(t.measure, t.metrics[0], t.people, t.items) for t in drawn] == [
        ("nats", "nats_per_token", 3, 6),
        ("write", "rouge_l", 3, 6),
    ]
    assert [row.method for row in drawn[0].rows] == ["generic", "recent:k=2", "recent", "facets"]


def test_personalization_itself_is_scored_where_people_answered_the_same(drawn):
    # Of the three people two or more judged the same pair with the same verdict.
    assert {"egises", "perseval"} <= set(drawn[1].metrics)
    for row in drawn[1].rows:
        assert 0 <= row.scores["egises"].mean <= 1
        assert 0 <= row.scores["perseval"].mean <= 1


def test_a_person_counts_once_however_many_items(drawn, found):
    recent = next(row for row in drawn[0].rows if row.method == "recent")
    key = {"method": "recent", "whose": "own", "measure": "nats"}
    lines = [x for x in found.items if key.items() <= x.items()]
    nats: dict = {}
    tokens: dict = {}
    for line in lines:
        nats[line["person"]] = nats.get(line["person"], 0) + line["scores"]["nats"]
        tokens[line["person"]] = tokens.get(line["person"], 0) + line["scores"]["tokens"]
    each = [nats[user] / tokens[user] for user in nats]
    assert recent.scores["nats_per_token"].mean == pytest.approx(sum(each) / 3)
    assert recent.scores["nats_per_token"].people == 3


def test_gains_are_paired_and_above_zero_is_better(drawn):
    generic, _, recent, _ = drawn[0].rows
    lower = [generic.people[u] - recent.people[u] for u in generic.people]
    assert recent.gain.mean == pytest.approx(sum(lower) / 3)
    written = {row.method: row for row in drawn[1].rows}
    higher = written["facets"].people[u := next(iter(generic.people))]
    assert written["facets"].gain.mean == pytest.approx(
        sum(written["facets"].people[u] - written["generic"].people[u] for u in generic.people) / 3
    )
    assert higher is not None
    assert u


def test_baselines_are_not_compared_with_themselves(drawn):
    generic, _, recent, facets = drawn[0].rows
    assert (generic.gain, generic.over_recent, generic.personal) == (None, None, None)
    assert recent.over_recent is None
    assert facets.over_recent is not None
    assert facets.saw == (2, 40)
    assert recent.saw is None


def test_comparisons_of_a_column_are_corrected_together(drawn):
    column = [row.gain for row in drawn[0].rows if row.gain]
    least = min(c.p for c in column)
    assert min(c.adjusted for c in column) == pytest.approx(min(1.0, len(column) * least))


def test_costs_are_of_a_request_and_of_a_person(drawn):
    generic, _, recent, facets = drawn[0].rows
    assert generic.cost.read == 0
    assert generic.cost.personal == 0
    assert recent.cost.read == 6
    assert recent.cost.prompt_tokens > generic.cost.prompt_tokens
    assert recent.cost.nbytes == 0
    assert facets.cost.nbytes > 0
    assert facets.cost.kinds == ("derived",)
    assert recent.cost.left == (0, 0)
    assert recent.cost.ms > 0
    assert recent.cost.peak > 1e6


def test_a_method_helps_only_when_it_beats_both(drawn):
    table = drawn[0]
    clear = replace(compare([1.0, 2.0], [0.0, 0.0]), mean=1.0, adjusted=0.01)
    unclear = replace(clear, adjusted=0.2)
    good = replace(table.rows[1], gain=clear, personal=clear)
    assert good.helps
    assert not replace(good, personal=unclear).helps
    assert not replace(good, gain=replace(clear, mean=-1.0)).helps
    helped = replace(table, rows=(table.rows[0], good))
    assert helped.best is good
    assert helped.verdict.startswith("Clearly better")
    bad = replace(table, rows=(table.rows[0], replace(good, personal=unclear)))
    assert bad.verdict.startswith("No method clearly beats both")


def test_the_report_needs_nothing_else(drawn, tmp_path):
    example = Example("facets", "ada", "Why <b>?", "before", "after", "written", ("a → b",))
    path = tmp_path / "out" / "report.html"
    write_report(
        path, drawn, title="T", lead="L", footer="F", note="Mind this.", example=example,
        judged=[{"method": "facets", "score": "0.5"}],
    )  # fmt: skip
    text = path.read_text()
    for said in ("Why &lt;b&gt;?", "Mind this.", "2 people", "nothing", "What models judged"):
        assert said in text
    assert text.count("<svg") >= 3
    for outside in ("src=", 'href="http', "url(", "@import"):
        assert outside not in text.replace('xlink:href="#', "").replace("url(#", "")
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_the_plots_are_the_same_again(drawn):
    table = drawn[0]
    assert gains(table) == gains(table)
    assert frontier(table) == frontier(table)
    assert gain_by_history(table, "facets") == gain_by_history(table, "facets")


def test_sizes_read_well():
    assert [size(n) for n in (0, 999, 1500, 2.5e6, 3e9)] == [
        "0 B", "999 B", "1.5 kB", "2.5 MB", "3.0 GB",
    ]  # fmt: skip


def test_lines_have_a_mark_for_each_place_and_are_the_same_again():
    found = {"one": [(10, 0.1, 0.0, 0.2), (100, 0.3, 0.2, 0.4)], "two": [(10, 0.0, -0.1, 0.1)]}
    drawn_once = lines(found, "records", "gain")
    assert drawn_once.startswith("<svg")
    assert drawn_once == lines(found, "records", "gain")
    assert drawn_once != lines({"one": found["one"]}, "records", "gain")


def test_bands_are_drawn_for_every_step_and_are_the_same_again():
    found = {"one": [(1.0, 0.5, 1.5), (2.0, 1.0, 3.0)], "two": [(1.0, 1.0, 1.0), (1.5, 1.0, 2.0)]}
    drawn_once = bands(found, "texts", "words")
    assert drawn_once.startswith("<svg")
    assert drawn_once == bands(found, "texts", "words")
    assert drawn_once != bands({"one": found["one"]}, "texts", "words")
