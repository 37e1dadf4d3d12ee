"""What is learned, on the page of a small model that learns: strength, versions, jobs, results."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ipse import Ipse
from ipse.backends.local import LocalBackend
from ipse.cli import app
from ipse.evaluation.ledger import read_run
from ipse.evaluation.tabulate import tables
from tests.people import reason
from tests.server.browser import ask, choose, expect, go, in_chromium, running, said, show, strength

pytestmark = in_chromium

METHODS = (
    "user-adapter:gate=false,refresh=2,rank=4,alpha=32,rate=0.05,epochs=20,task=rank=4;epochs=1"
)
QUESTION = "Which argument about browsers is better? Say why."


@pytest.fixture(scope="module")
def server(pico, tmp_path_factory):
    """A server that runs a tiny model."""
    store = tmp_path_factory.mktemp("learned") / "ipse.db"
    options = {"backend": "local", "model": pico.model, "methods": METHODS, "max_tokens": "12"}
    with running(store, **options) as server:
        yield server


@pytest.fixture
def known(server, pico):
    """Two people, of whom nothing is learned but together; what looks into the store."""
    with Ipse(server.store, LocalBackend(pico.model), METHODS) as engine:
        engine.add(reason(name, n) for name in ("ada", "bob") for n in range(5))
        engine.fit()
        yield engine
        for person in engine.store.everybody():
            engine.forget(person)


def last(known):
    """The latest personal reply to Ada."""
    return max((r for r in known.store.replies("ada") if r.strength), key=lambda r: r.time)


def test_what_operate_is_asked_to_learn_of_one_is_learned_of_nobody_else(page, server, known):
    show(page, server, "ada", "operate")
    row = page.get_by_label("People").get_by_role("row").filter(has_text="ada")
    row.get_by_role("button", name="Learn").click()
    job = page.get_by_label("Jobs").locator(".ip-row").first
    expect(job).to_contain_text("done")
    expect(job.get_by_role("progressbar")).to_have_count(0)
    (kept,) = known.store.jobs.latest("ada")
    assert (kept.status, kept.user, kept.states) == ("done", "ada", 1)
    assert len(known.store.states("ada")) == 1
    assert known.store.states("bob") == []


def test_a_job_that_cannot_be_done_says_why(page, server, known):
    known.store.jobs.add("ada", "enroll", "steer:layer=99")
    show(page, server, "ada", "operate")
    job = page.get_by_label("Jobs").locator(".ip-row").first
    expect(job.locator(".ip-gap")).to_contain_text("99")
    (kept,) = known.store.jobs.latest("ada")
    assert kept.status == "failed"
    expect(job.locator(".ip-gap")).to_have_text(kept.error)


def test_strength_goes_from_the_model_as_it_is_to_the_persons_own(page, server, known):
    known.refresh("ada")
    show(page, server, "ada")
    texts = {}
    for number in (1, 0.5, 0):
        page.reload()  # a conversation of its own
        strength(page, number)
        generic, personal = ask(page, QUESTION)
        texts[number] = said(personal)
        assert (said(generic) == said(personal)) is (number == 0)
    assert len(set(texts.values())) == 3
    kept = {reply.strength: reply for reply in known.store.replies("ada") if reply.states}
    assert kept.keys() == {1, 0.5}


def test_one_goes_back_to_an_earlier_version_and_it_answers(page, server, known):
    known.refresh("ada")
    show(page, server, "ada")
    _, personal = ask(page, QUESTION)
    before, first = said(personal), last(known)
    known.add(reason("ada", 20 + n) for n in range(3))
    go(page, "Me")
    states = page.locator(".ip-state")
    page.get_by_role("button", name="Learn now").click()
    expect(states).to_have_count(2)
    expect(states.first).to_contain_text("in use · from 8 records")
    assert answered_anew(page) != before
    assert last(known).states != first.states

    go(page, "Me")
    page.get_by_role("button", name="Go back to it").click()
    expect(states.first).to_contain_text("in use · from 5 records")
    assert {s.records: s.current for s in known.store.states("ada")} == {5: True, 8: False}
    assert answered_anew(page) == before
    assert last(known).states == first.states

    go(page, "Me")
    for left in (1, 0):
        states.first.get_by_role("button", name="Remove user-adapter").click()
        states.first.get_by_role("button", name="Remove?").click()
        expect(states).to_have_count(left)
    assert known.store.states("ada") == []


def answered_anew(page):
    """Ask the same in a conversation of its own."""
    go(page, "Chat")
    page.reload()
    _, personal = ask(page, QUESTION)
    return said(personal)


def test_a_run_of_the_bench_is_shown_as_it_was_found(page, server, known, pico):
    out = server.store.parent / "ipse-bench"
    task = ["ukpconvarg-reason", "--measures=nats", "--people=3", "--items=1", "--no-control"]
    how = ["--methods=generic,bm25:k=1,recent:k=1", "--only", f"--models={pico.model}"]
    ran = CliRunner().invoke(app, ["bench", *task, *how, f"--out={out}"])
    assert ran.exit_code == 0, ran.output
    (table,) = tables(read_run(out))

    show(page, server, "ada", "compare")
    choose(page, "Results", "ipse-bench")
    rows = page.locator(".ip-table tbody tr")
    expect(rows).to_have_count(3)
    score = table.metrics[0]
    for row in table.rows:
        value, mean = row.scores[score], f"{row.gain.mean:+.3f}" if row.gain else ""
        shown = rows.filter(has=page.get_by_text(row.method, exact=True)).locator("td")
        expect(shown.nth(1)).to_have_text(f"{value.mean:.3f} ± {value.error:.3f}")
        expect(shown.nth(2)).to_have_text(mean)
    expect(page.get_by_text("3 people, commit")).to_be_visible()
    for plot in ("Gain", "Cost"):
        for method in ("bm25:k=1", "recent:k=1"):
            label = page.get_by_label(plot, exact=True).locator("svg text", has_text=method)
            expect(label.first).to_be_visible()
