from __future__ import annotations

from ipse.evaluation.demo import run_demo
from ipse.store import Store
from tests.methods.test_contract import Both
from tests.people import echo, reason


class Model(Both):
    """The pico model that writes and scores, and hashes that embed."""

    def __init__(self, pico):
        Both.__init__(self, pico, echo())
        self.score = pico.score


def test_the_demo_reports_and_leaves_what_is_not_its_own_alone(tmp_path, pico):
    (tmp_path / "store").mkdir()
    precious = tmp_path / "store" / "precious.txt"
    precious.write_text("mine")
    with Store.open(tmp_path / "ipse-demo.db") as earlier:
        earlier.add([reason("ada", 1)])
    said = []
    found = run_demo(
        tmp_path,
        Model(pico),
        lambda what, done, total: said.append(what),
        people=3,
        items=1,
        methods=["recent:k=1", "facets"],
    )
    with Store.open(tmp_path / "ipse-demo.db") as store:
        assert "ada" not in store.everybody()
    assert precious.read_text() == "mine"
    assert [row.method for row in found.table] == ["generic", "recent:k=1", "facets"]
    assert found.report.read_text().startswith("<!doctype html>")
    assert 0 <= found.shared_topics <= 1
    assert {"importing the sample", "generic", "recent:k=1: own records"} <= set(said)
