"""Requests of many threads: refused, cancelled, failed and closed, and nobody else the worse."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest

from ipse.backends.limits import Limits
from ipse.backends.local import LocalBackend
from ipse.backends.local.attached import Attachments
from ipse.backends.local.network import Network
from ipse.errors import BackendFailure, InvalidPlan, IpseError, Unknown, UsageError
from ipse.plan import Adapter, Fusion, Message, Plan, Sampling, Steering, Stream
from tests.backends.attachments import Shelf


@pytest.fixture
def shelf(pico) -> Shelf:
    return Shelf(pico._language_model().core)


@pytest.fixture
def lm(pico_path, shelf) -> Iterator[LocalBackend]:
    with closing(LocalBackend(str(pico_path), loader=shelf)) as backend:
        yield backend


def ask(text: str, **sampling) -> Plan:
    return Plan.ask(text, sampling=Sampling(**{"max_tokens": 20, **sampling}))


def with_(plan: Plan, **attached) -> Plan:
    return replace(plan, main=replace(plan.main, **attached))


BASE = ask("Why?")
LONG = ask("Why is that so?", max_tokens=900)


def idle(lm: LocalBackend) -> bool:
    """Whether nothing is under way and nothing is held for anybody."""
    place = lm._place()
    pins = [entry.pins for entry in place.attachments._entries.values()]
    return not place.runner.busy and place.runner.nbytes == 0 and not any(pins)


def eventually(condition) -> bool:
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize(
    ("attached", "error", "says"),
    [
        ({"adapters": (Adapter("none"),)}, Unknown, "no adapter 'none' in the store"),
        ({"adapters": (Adapter("a", own="none"),)}, Unknown, "no adapter 'none' in the store"),
        ({"adapters": (Adapter("several/y"),)}, InvalidPlan, "no array whose name ends in"),
        ({"adapters": (Adapter("strange"),)}, InvalidPlan, "layers.9.*2 layers.*down_proj"),
        ({"adapters": (Adapter("half"),)}, InvalidPlan, r"another model.*\\(2, 33\\).*\\(2, 32\\)"),
        ({"adapters": (Adapter("a"), Adapter("broken"))}, BackendFailure, "disk is on fire"),
        ({"prefix": "wide"}, InvalidPlan, r"another model.*\\(2, 33\\).*\\(2, 32\\)"),
        ({"steering": (Steering("way/no", 0),)}, Unknown, "no array 'no'.*other, vector"),
        ({"steering": (Steering("way", 2),)}, InvalidPlan, "layer 2; there are 2"),
    ],
)
def test_a_wrong_name_is_an_error_of_that_request_alone(lm, attached, error, says):
    stream = lm.stream(LONG)
    begun = next(stream)
    for verb in (lm.generate, lambda plans: lm.score(plans, ["x"])):
        with pytest.raises(error, match=says.replace("\\\\", "\\")):
            verb([with_(BASE, **attached)])
    with pytest.raises(error):
        list(lm.stream(with_(BASE, **attached)))
    assert begun + "".join(stream) == lm.generate([LONG])[0].text
    assert eventually(lambda: idle(lm))


def test_no_store_to_load_from(pico_path):
    with (
        closing(LocalBackend(str(pico_path))) as lm,
        pytest.raises(UsageError, match=r"names 'a'.*no store.*attach\(loader\)"),
    ):
        lm.generate([with_(BASE, adapters=(Adapter("a"),))])


def test_held_arrays_are_found_by_name(lm, shelf, pico):
    name = pico.hold(shelf.things["way"])
    steered = with_(BASE, steering=(Steering(name, 0),))
    expected = lm.generate([with_(BASE, steering=(Steering("way", 0),))])
    assert pico.generate([steered]) == expected


def test_what_never_fits_is_refused_with_its_numbers(pico_path):
    few = Limits(rows=2, memory=50_000)
    with closing(LocalBackend(str(pico_path), limits=few)) as lm:
        with pytest.raises(InvalidPlan, match=r"can take [\d,]+ bytes .*50,000 are all there is"):
            lm.generate([BASE, LONG])
        streams = (BASE.main,) * 2
        wide = replace(BASE, others=streams, fusion=Fusion("linear", (1.0, 0.5, 0.5)))
        with pytest.raises(InvalidPlan, match="3 streams, but only 2 rows"):
            lm.stream(wide).__next__()
        assert lm.generate([BASE])[0].tokens > 0


def test_a_prefix_that_does_not_fit_any_more(pico_path, shelf):
    with closing(LocalBackend(str(pico_path), loader=shelf)) as lm:
        row = lm._place().runner.bytes_for(40, 60)
    with closing(LocalBackend(str(pico_path), loader=shelf, limits=Limits(memory=row))) as lm:
        fits = ask("W", max_tokens=60 - len(lm._language_model().prompt(ask("W").main.messages)))
        assert lm.generate([fits])
        with pytest.raises(InvalidPlan, match="are all there is"):
            lm.generate([with_(fits, prefix="soft")])
        assert eventually(lambda: idle(lm))


def test_a_consumer_that_goes_away_frees_its_rows(lm):
    streams = [lm.stream(with_(LONG, adapters=(Adapter("a"),))) for _ in range(5)]
    for stream in streams:
        next(stream)
    assert lm._place().runner.writing
    for stream in streams:
        stream.close()
    assert eventually(lambda: idle(lm))
    assert lm.generate([BASE])


def test_a_stream_nobody_looks_at_runs_nothing(lm):
    stream = lm.stream(LONG)
    del stream
    gc.collect()
    assert idle(lm)


def test_the_loop_survives_a_failing_model(lm, monkeypatch):
    expected = lm.generate([BASE])
    whole, failing = Network.run, Event()

    def run(self, *args):
        if failing.is_set():
            raise RuntimeError("out of memory")
        return whole(self, *args)

    monkeypatch.setattr(Network, "run", run)
    stream = lm.stream(LONG)
    next(stream)
    failing.set()
    with pytest.raises(BackendFailure, match="out of memory"):
        list(stream)
    with pytest.raises(BackendFailure, match="out of memory"):
        lm.generate([BASE])
    failing.clear()
    assert lm.generate([BASE]) == expected
    assert eventually(lambda: idle(lm))


def test_closing_ends_everything(lm):
    stream = lm.stream(LONG)
    next(stream)
    lm.close()
    with pytest.raises(UsageError, match="given up"):
        list(stream)
    with pytest.raises(UsageError, match="closed"):
        lm.generate([BASE])
    lm.close()


def test_adapters_stay_within_their_bytes(lm, shelf):
    core = lm._language_model().core
    for i in range(12):
        shelf.things[f"n{i}"] = shelf.things["a"]
    size = Attachments(core, shelf, 1 << 30)
    one = size.acquire(with_(BASE, adapters=(Adapter("a"),)).main)
    room = Attachments(core, shelf, 3 * size.nbytes)
    streams = [with_(BASE, adapters=(Adapter(f"n{i}"),)).main for i in range(12)]
    kept = room.acquire(streams[0])
    for stream in streams[1:]:
        room.release(room.acquire(stream))
        assert room.nbytes <= 3 * size.nbytes
    shelf.taken.clear()
    room.release(room.acquire(streams[0]))  # it was in use, and so it stayed
    room.release(room.acquire(streams[11]))  # the latest
    room.release(room.acquire(streams[1]))
    assert shelf.taken == ["n1"]
    others = [room.acquire(stream) for stream in streams[2:4]]
    waiting = Thread(target=lambda: room.release(room.acquire(streams[5])))
    waiting.start()
    assert waiting.is_alive()  # all three places are in use
    room.release(kept)
    waiting.join(20)
    assert not waiting.is_alive()
    others.append(room.acquire(streams[6]))
    with pytest.raises(UsageError, match="given up"):
        room.acquire(streams[7], lambda: False)
    for each in others:
        room.release(each)
    with pytest.raises(InvalidPlan, match=r"takes [\d,]+ bytes, but 10 are all"):
        Attachments(core, shelf, 10).acquire(streams[0])
    size.release(one)
    both = with_(BASE, adapters=(Adapter("n1"), Adapter("n2"))).main
    with pytest.raises(InvalidPlan, match="are all there is for what plans attach"):
        Attachments(core, shelf, int(1.5 * size.nbytes)).acquire(both)


def test_more_people_than_adapters_in_memory(pico_path, shelf):
    for i in range(20):
        shelf.things[f"n{i}"] = shelf.things["a"]
    plans = [with_(BASE, adapters=(Adapter(f"n{i % 20}"),)) for i in range(60)]
    path = str(pico_path)
    with closing(LocalBackend(path, loader=shelf, limits=Limits(attached=300_000))) as lm:
        replies = lm.generate(plans)
        assert all(reply == replies[0] for reply in replies)
        assert lm._place().attachments.nbytes <= 300_000


def test_streams_of_another_model(tmp_path, pico_path, pico):
    from tests.pico import save_pico

    other = str(save_pico(tmp_path / "other", seed=1))
    stream = Stream((Message("user", "Why?"),), model=other)
    with closing(LocalBackend(other)) as alone:
        for plan in (replace(BASE, main=stream), replace(LONG, main=stream)):
            bare = replace(plan, main=replace(stream, model=None))
            assert pico.generate([plan]) == alone.generate([bare])
            assert pico.score([plan], ["x"]) == alone.score([bare], ["x"])
        both = replace(BASE, others=(stream,), fusion=Fusion("linear", (0.5, 0.5)))
        reply = pico.generate([both, BASE])[0]
        assert reply.prompt_tokens == 2 * pico.generate([BASE])[0].prompt_tokens
        nats = np.array(pico.score([BASE], ["x"])[0].logprobs)
        assert not np.allclose(pico.score([both], ["x"])[0].logprobs, nats)


def test_every_request_ends_in_one_way(lm):
    """Sixteen threads ask, give up, name what is not there and ask too much."""
    ends: list[str] = []

    def run(thread: int) -> None:
        chance = np.random.default_rng(thread)
        for _ in range(12):
            kind = chance.choice(["ask", "stop", "missing", "large", "adapter"])
            plan = ask("w " * int(chance.integers(1, 60)), max_tokens=int(chance.integers(1, 40)))
            try:
                if kind == "stop":
                    stream = lm.stream(replace(plan, sampling=Sampling(max_tokens=200)))
                    next(stream, "")
                    stream.close()
                    ends.append("cancelled")
                    continue
                if kind == "missing":
                    plan = with_(plan, adapters=(Adapter("none"),))
                elif kind == "large":
                    plan = ask("word " * 2000)
                elif kind == "adapter":
                    plan = with_(plan, adapters=(Adapter(chance.choice(["a", "b", "c"])),))
                lm.generate([plan])
                ends.append("answer")
            except IpseError:
                ends.append("refused")

    threads = [Thread(target=run, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(ends) == 16 * 12
    assert set(ends) == {"answer", "cancelled", "refused"}
    assert eventually(lambda: idle(lm))
