"""`data.cache=none`: every file is read again whenever it is asked for."""

from collections.abc import Sequence

from lesionseg.data.cache import PixelCache
from lesionseg.data.sample import Resized


class NoCache(PixelCache):
    """For sets that fit neither into memory nor onto the disk; an unreadable file is found when it is reached."""

    @property
    def is_quick(self) -> bool:
        """Never."""
        return False

    def prepare(self, rows: Sequence[int]) -> None:
        """Does nothing."""

    def __getitem__(self, row: int) -> Resized:
        """Reads the sample's files."""
        return self.samples[row].read_resized(self.size)
