"""What a split has to know of the images: which show one lesion, and how large it is."""

import functools
import logging
from collections.abc import Sequence

from lesionseg.data.cache import PixelCache
from lesionseg.data.digests import digests_of
from lesionseg.data.duplicates import AGREEING, SAME, Duplicate, clusters, find_duplicates
from lesionseg.data.names import archive_image
from lesionseg.data.sample import Sample

log = logging.getLogger(__name__)


class Facts:
    """Facts about all samples of a source, found out when they are first asked for.

    Args:
        samples: The samples, in the cache's order.
        cache: Where their pixels are.
    """

    def __init__(self, samples: Sequence[Sample], cache: PixelCache) -> None:
        self.ids = [sample.id for sample in samples]
        self._samples = samples
        self._cache = cache

    @functools.cached_property
    def duplicates(self) -> list[Duplicate]:
        """Pairs of samples that are one picture. Samples without files are computed, each from a seed of its own."""
        if not any(sample.files for sample in self._samples):
            return []
        self._cache.prepare(range(len(self._samples)))
        found = self._cache.remember(f"duplicates-{SAME}-{AGREEING}", self._compare)
        return [Duplicate(*pair) for pair in found]

    def _compare(self) -> list[Duplicate]:
        log.info("Comparing %d images with each other, so that no lesion is in two parts.", len(self.ids))
        return find_duplicates(lambda row: self._cache[row].image, len(self.ids))

    @functools.cached_property
    def groups(self) -> list[int]:
        """A label for each sample: the same for one picture, one image of an archive, one lesion or one patient."""
        pairs = [(pair.first, pair.second) for pair in self.duplicates]
        first_of: dict[tuple[str, str], int] = {}
        for row, sample in enumerate(self._samples):
            for kind, name in (("group", sample.group), ("image", archive_image(sample.id))):
                if name is not None:
                    pairs.append((first_of.setdefault((kind, name), row), row))
        return [int(label) for label in clusters(len(self._samples), pairs)]

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the files of each sample that has any, see `lesionseg.data.digests`."""
        found: dict[str, str] = self._cache.remember("digests", lambda: digests_of(self._samples))
        return found

    @functools.cached_property
    def lesion_sizes(self) -> list[float]:
        """Share of each ground truth's pixels that is lesion, 0 to 1."""
        self._cache.prepare(range(len(self._samples)))
        return [self._cache[row].lesion_share for row in range(len(self._samples))]
