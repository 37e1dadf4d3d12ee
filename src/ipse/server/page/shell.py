"""What stands around every view: where one can go, who is shown, light and dark, keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from nicegui import ui

from ipse.errors import IpseError
from ipse.server.page.desk import Desk

__all__ = ["COOKIE", "Shell", "dress", "empty", "memorize", "remembered", "say", "telling"]

COOKIE = "ipse_page"
"""What a browser remembers of this page: light or dark, and who was shown."""

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "style.css").read_text("utf-8")
_KEYS = (_FOLDER / "keys.js").read_text("utf-8")
_VIEWS = (
    ("/", "Chat", "forum"),
    ("/me", "Me", "person"),
    ("/compare", "Compare", "bar_chart"),
    ("/operate", "Operate", "monitor_heart"),
)
_THEMES: dict[bool | None, tuple[str, str]] = {
    None: ("brightness_auto", "Light or dark as the device is"),
    False: ("light_mode", "Light"),
    True: ("dark_mode", "Dark"),
}
_LISTED = 200


def remembered(cookies: Mapping[str, str]) -> tuple[bool | None, str]:
    """Read what the browser remembers: light or dark, and who was shown.

    Args:
        cookies: What the browser sent.

    Returns:
        Whether it is dark, None for as the device is; and the person, "" for nobody. Whatever is
        not as it should be is the same as nothing.
    """
    try:
        found = json.loads(unquote(cookies.get(COOKIE, "")))
        dark, person = found["dark"], found["person"]
    except (ValueError, KeyError, TypeError):
        return None, ""
    return (
        dark if isinstance(dark, bool) else None,
        person if isinstance(person, str) else "",
    )


def memorize(desk: Desk) -> None:
    """Let the browser remember the same; nothing depends on it."""
    memory = quote(json.dumps({"dark": desk.dark, "person": desk.chosen}))
    cookie = f"{COOKIE}={memory}; path=/; max-age=31536000; SameSite=Strict"
    ui.run_javascript(f"document.cookie = {json.dumps(cookie)}")


def say(text: str, kind: str = "info") -> None:
    """Say something for a few seconds."""
    ui.notify(text, type=kind, multi_line=True, position="top", timeout=6000)  # type: ignore[arg-type]


@contextmanager
def telling() -> Iterator[None]:
    """Say what went wrong, if something does that Ipse raises on purpose."""
    try:
        yield
    except IpseError as error:
        say(str(error), "negative")


def empty(icon: str, text: str, more: str = "") -> None:
    """Say that there is nothing, and what to do about it."""
    with ui.element("div").classes("ip-empty"):
        ui.icon(icon)
        ui.label(text).classes("ip-empty-title")
        if more:
            ui.label(more)


def dress(dark: bool | None) -> ui.dark_mode:
    """Give a page its looks and its keys.

    Args:
        dark: Whether it is dark; None is as the device is.

    Returns:
        What turns it light or dark.
    """
    ui.add_head_html(f"<style>{_STYLE}</style>")
    ui.add_head_html(f"<script>{_KEYS}</script>")
    return ui.dark_mode(dark)


class Shell:
    """The frame of one open page."""

    def __init__(self, desk: Desk) -> None:
        """Draw the frame.

        Args:
            desk: Whose page it is.
        """
        self.desk = desk
        self._dark = dress(desk.dark)
        self._links: dict[str, ui.element] = {}
        with ui.element("header").classes("ip-head"):
            with ui.link(target="/").classes("ip-name").props('aria-label="Ipse"'):
                ui.label("ipse")
            with ui.element("nav").classes("ip-nav").props('aria-label="Views"'):
                for path, name, icon in _VIEWS:
                    if path != "/operate" or desk.bound is None:
                        self._links[path] = self._link(path, name, icon)
            ui.element("div").classes("ip-gap")
            self._person = ui.element("div").classes("ip-who")
            self._theme = ui.button(on_click=self._turn).props("flat round dense")
            if not desk.guest:
                with ui.element("form").props('method="post" action="/page-session/end"'):
                    ui.button(icon="logout").props(
                        'flat round dense type="submit" aria-label="Sign out"'
                    )
        self._show_theme()
        self._mark(ui.context.client.sub_pages_router.current_path)
        ui.context.client.sub_pages_router.on_path_changed(self._mark)

    async def fill(self) -> None:
        """Show who can be chosen."""
        desk = self.desk
        self._person.clear()
        with self._person:
            if desk.bound is not None:
                ui.icon("person")
                ui.label(desk.bound).classes("ip-bound")
                return
            page = await desk.call(desk.engine.store.users, _LISTED)
            names = [person.id for person in page.items]
            names += [desk.chosen] if desk.chosen and desk.chosen not in names else []
            select = ui.select(
                names,
                value=desk.chosen or None,
                with_input=True,
                new_value_mode="add-unique",
                on_change=lambda event: self.choose(event.value or ""),
            )
            select.props('dense outlined options-dense placeholder="Choose a person"')
            select.props('aria-label="Person" behavior="menu"').mark("person")

    async def choose(self, person: str) -> None:
        """Show another person, in whichever view is open."""
        with telling():
            self.desk.choose(person)
        memorize(self.desk)
        await ui.context.client.sub_pages_router.refresh()

    def _link(self, path: str, name: str, icon: str) -> ui.element:
        with ui.link(target=path).classes("ip-link") as link:
            ui.icon(icon)
            ui.label(name)
        return link

    def _mark(self, path: str) -> None:
        """Mark the view that is open."""
        here = path.split("?")[0]
        for target, link in self._links.items():
            if target == here:
                link.props('aria-current="page"')
            else:
                link.props(remove="aria-current")

    def _turn(self) -> None:
        """From auto to light to dark and round again."""
        order: list[bool | None] = [None, False, True]
        self.desk.dark = order[(order.index(self.desk.dark) + 1) % len(order)]
        self._dark.value = self.desk.dark
        self._show_theme()
        memorize(self.desk)

    def _show_theme(self) -> None:
        icon, text = _THEMES[self.desk.dark]
        self._theme.props(f'icon={icon} aria-label="Theme: {text}" title="{text}"')
