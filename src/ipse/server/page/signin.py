"""Where a browser signs in with a key: a plain form, which password managers know."""

from __future__ import annotations

from nicegui import ui

from ipse.server.page.shell import dress

__all__ = ["sign_in"]


def sign_in(dark: bool | None, *, wrong: bool) -> None:
    """Draw it.

    Args:
        dark: Whether it is dark; None is as the device is.
        wrong: Whether a key was given that is good for nothing.
    """
    dress(dark)
    with ui.element("div").classes("ip-page ip-welcome"):
        form = ui.element("form").props('method="post" action="/page-session"')
    with form.classes("ip-card"):
        ui.label("ipse").classes("ip-name")
        ui.label("Sign in with your key: yours shows you, a service's shows everyone.")
        field = ui.input("Key").props(
            'outlined dense autofocus type="password" name="key" autocomplete="current-password"'
        )
        if wrong:
            field.props('error error-message="This key is good for nothing"')
        ui.button("Sign in").props('unelevated no-caps type="submit"')
