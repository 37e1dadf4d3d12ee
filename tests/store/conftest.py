import shutil

import pytest

from tests.store.samples import OPENERS


@pytest.fixture(scope="session", params=OPENERS)
def template(request, tmp_path_factory):
    """An opener, and the folder of an empty store: copying one is faster than making one."""
    folder = tmp_path_factory.mktemp("template")
    OPENERS[request.param](folder).close()
    return OPENERS[request.param], folder


@pytest.fixture
def reopen(template, tmp_path):
    """Open the same store anew, as another process would; all are closed at the end."""
    opener, folder = template
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    opened = []

    def open_again():
        opened.append(opener(tmp_path))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen):
    return reopen()
