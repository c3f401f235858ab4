"""A folder of results in which a file is either whole or not there."""

import os
import shutil
import uuid
from pathlib import Path, PurePosixPath

from lesionseg.errors import InputError

HIDDEN = ".lesionseg"
"""What the results' user need not see: the journal, the lock, and files that are not finished yet."""


class OutputFolder:
    """Writes files to a temporary name on the same disk, then renames; what is not finished is never in sight.

    Renaming is not forced to the disk at once: after a power failure a file may be damaged, which its checksum in the
    journal tells. A killed process leaves whole files.

    Args:
        root: Made where it is missing.

    Raises:
        InputError: It cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidden = root / HIDDEN
        self._unfinished = self.hidden / "unfinished"
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{root}: no folder can be made there ({error}); give another") from error

    def path(self, name: PurePosixPath) -> Path:
        """Returns where a result of this name is, or will be."""
        return self.root / name

    def write(self, name: PurePosixPath, content: bytes) -> None:
        """Puts a file in its place, with the folders above it.

        Raises:
            InputError: The disk is full, or the folder cannot be written to.
        """
        target, temporary = self.path(name), self._unfinished / uuid.uuid4().hex
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InputError(
                f"{target}: cannot be written ({error.strerror}). What was written before is whole; run the same "
                "command again to go on"
            ) from error

    def sweep(self) -> None:
        """Removes what an interrupted run left unfinished; the folder must be nobody else's at this time."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Removes the place for unfinished files, and the hidden folder where nothing else is in it."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        if self.hidden.is_dir() and not any(self.hidden.iterdir()):
            self.hidden.rmdir()
