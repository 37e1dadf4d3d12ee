from __future__ import annotations

from ipse.evaluation.demo import run_demo
from ipse.evaluation.ledger import read_run
from ipse.store import Store
from tests.people import reason


def test_the_demo_reports_and_leaves_what_is_not_its_own_alone(tmp_path, model):
    (tmp_path / "store").mkdir()
    precious = tmp_path / "store" / "precious.txt"
    precious.write_text("mine")
    with Store.open(tmp_path / "store.db") as earlier:
        earlier.add([reason("ada", 1)])
    said = []
    found = run_demo(
        tmp_path,
        model,
        lambda what, share: said.append((what, share)),
        people=3,
        items=1,
        methods=["recent:k=1", "facets"],
    )
    with Store.open(tmp_path / "store.db") as store:
        assert "ada" not in store.everybody()
    assert precious.read_text() == "mine"
    assert [row.method for row in found.table.rows] == ["generic", "recent:k=1", "facets"]
    assert found.report.read_text().startswith("<!doctype html>")
    assert 0 <= found.shared_topics <= 1
    assert len(read_run(tmp_path).people) == 3
    assert said[-1] == ("one person's question", 1.0)
    assert {"ukpconvarg-reason: generic", "ukpconvarg-reason: recent:k=1"} <= {w for w, _ in said}
