"""The page: chat, what is known, comparisons and the machine room, in a browser.

It is NiceGUI's one app of this process, mounted on the server's own; all it loads comes from
NiceGUI's wheel. It asks the engine in process, as the person who is signed in.
"""

from ipse.server.page.mount import HOME, mount_page

__all__ = ["HOME", "mount_page"]
