"""Which cache `data.cache` names."""

from collections.abc import Sequence
from pathlib import Path

from lesionseg.data.cache import PixelCache, cache_folder
from lesionseg.data.disk_cache import DiskCache
from lesionseg.data.memory_cache import MemoryCache
from lesionseg.data.no_cache import NoCache
from lesionseg.data.sample import Sample
from lesionseg.data.source import CacheName


def open_cache(name: CacheName, samples: Sequence[Sample], size: int, folder: Path | None) -> PixelCache:
    """Opens the cache of a name; a disk cache below `folder`, or where `cache_folder` says."""
    if name == "disk":
        return DiskCache(samples, size, cache_folder(folder))
    return {"memory": MemoryCache, "none": NoCache}[name](samples, size)
