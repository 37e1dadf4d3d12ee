"""The server: personal answers for any client, over HTTP.

It knows the engine and no method. What is asked of it in OpenAI's words is in `openai/`.
"""

from ipse.server.app import create_app
from ipse.server.context import Served

__all__ = ["Served", "create_app"]
