"""What was learned of a person: adapters and other states, with the versions to go back to."""

from __future__ import annotations

from nicegui import ui

from ipse.server.acting import own_state
from ipse.server.page.desk import Desk
from ipse.server.page.records import counted, sure, when
from ipse.server.page.shell import say, telling
from ipse.store import StateSummary

__all__ = ["learned", "size"]


def size(nbytes: float) -> str:
    """Write a number of bytes so that a person can read it."""
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} GB"


async def learned(desk: Desk) -> None:
    """Draw it."""
    found = await desk.call(desk.engine.store.states, desk.who)
    with ui.element("section").classes("ip-card").props('aria-label="What was learned"'):
        ui.label("What was learned").classes("ip-h2")
        if not found:
            ui.label("Nothing yet. Ask something, or let it learn now.").classes("ip-muted")
        for state in sorted(found, key=lambda s: (s.key.method, not s.current, s.made)):
            _draw(desk, state)

        async def learn() -> None:
            button.props("loading")
            with telling():
                kept = await desk.call(desk.engine.refresh, desk.learner)
                say(f"Learned: {counted(len(kept), 'state')}", "positive")
                await _again()
            button.props(remove="loading")

        button = ui.button("Learn now", icon="model_training", on_click=learn)
        button.props("flat no-caps")


def _draw(desk: Desk, state: StateSummary) -> None:
    standing = "in use" if state.current else "earlier" if state.previous else "replaced"

    async def back() -> None:
        with telling():
            await desk.call(_rolled_back, desk, desk.who, state.id)
            await _again()

    async def remove() -> None:
        with telling():
            await desk.call(_removed, desk, desk.who, state.id)
            await _again()

    with ui.element("div").classes("ip-row ip-state"):
        with ui.element("div").classes("ip-gap"):
            ui.label(state.key.method).classes("ip-state-name")
            ui.label(
                f"{standing} · from {counted(state.records, 'record')} · {size(state.nbytes)} · "
                f"{when(state.made)} · {(state.artifact or state.id)[:12]}"
            ).classes("ip-muted")
        if state.previous:
            ui.button("Go back to it", icon="history", on_click=back).props("flat dense no-caps")
        bin_ = ui.button(icon="delete").props(f'dense aria-label="Remove {state.key.method}"')
        sure(bin_, "Remove?", remove)


def _rolled_back(desk: Desk, person: str, state_id: str) -> None:
    """Go back to a version of the person's own; another's is not found."""
    store = desk.engine.store
    store.rollback(own_state(store, person, state_id).id)


def _removed(desk: Desk, person: str, state_id: str) -> None:
    store = desk.engine.store
    store.forget_states([own_state(store, person, state_id).id])


async def _again() -> None:
    await ui.context.client.sub_pages_router.refresh()
