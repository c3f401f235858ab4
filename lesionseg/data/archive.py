"""An archive that a publisher offers for download."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A zip file and the folder that unzipping it makes.

    Attributes:
        path: Behind the server's address, for example `2017/ISIC-2017_Training_Data.zip`.
        folder: What it holds, for example `ISIC-2017_Training_Data`.
    """

    path: str
    folder: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]
