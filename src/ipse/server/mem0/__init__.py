"""mem0's verbs and bodies, for clients that know them."""

from ipse.server.mem0.verbs import router

__all__ = ["router"]
