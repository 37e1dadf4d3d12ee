"""The local backend; importing it imports torch."""

from ipse.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
