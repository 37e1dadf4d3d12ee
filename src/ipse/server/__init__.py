"""The server: personal answers for any client, over HTTP.

It knows the engine and no method. What is asked of it in OpenAI's words is in `openai/`.
"""

from ipse.server.app import create_app
from ipse.server.context import Served
from ipse.server.page import HOME
from ipse.server.running import check_safe, run

__all__ = ["HOME", "Served", "check_safe", "create_app", "run"]
