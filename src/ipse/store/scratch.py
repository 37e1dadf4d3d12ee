"""A folder for what is half learned, so that a killed training can go on; emptied by forgetting.

What stands in it was made from people's records, and no lineage says which. So whenever anything is
forgotten all of it goes. A mark says that nothing was forgotten since the folder was handed out:
what a training writes that has not noticed stands there without the mark, and goes when the store
is opened, or the folder handed out, the next time.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ipse import tensors
from ipse.errors import StoreFailure

__all__ = ["Scratch"]

_MARK = "nothing-was-forgotten"


class Scratch:
    """A folder for what is half learned.

    Args:
        folder: Where; it is made when it is first handed out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = folder / _MARK

    def folder(self) -> Path:
        """Hand the folder out, with what a killed training left in it.

        Returns:
            The folder.

        Raises:
            StoreFailure: If the disk refuses.
        """
        self.tidy()
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._mark.touch(mode=0o600)
        except OSError as error:
            raise StoreFailure(f"cannot use the folder {self._folder}: {error.strerror}") from error
        return self._folder

    def tidy(self) -> None:
        """Remove what was written by a training that had not noticed that something is forgotten.

        Raises:
            StoreFailure: If the disk refuses.
        """
        if not self._mark.exists():
            self.clear()

    def clear(self) -> None:
        """Remove everything; once this returns, no power cut brings it back.

        Raises:
            StoreFailure: If the disk refuses.
        """
        try:
            self._mark.unlink(missing_ok=True)  # first, or what is written meanwhile would stay
            for path in list(self._folder.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            tensors.sync_folder(self._folder)
        except FileNotFoundError:
            return  # it was never handed out
        except OSError as error:
            raise StoreFailure(f"cannot empty {self._folder}: {error}") from error

    def cleared(self) -> bool:
        """Clear where an error would hide what was done; give whether it went."""
        try:
            self.clear()
        except StoreFailure:
            return False
        return True
