"""A warning at the start of a training about masks that the doctor would call wrong."""

import logging
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from lesionseg.config.command_line import override
from lesionseg.data.cache import PixelCache
from lesionseg.data.check.examination import Examination, FileFault, examine_mask
from lesionseg.data.check.findings import KINDS
from lesionseg.data.check.sample_checks import check_mask, is_inverted
from lesionseg.data.source import FilePair
from lesionseg.system.processes import is_first_process

log = logging.getLogger(__name__)

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
LOOKED_INTO = 64
"""Mask files that are read whole, evenly spread; reading all would take minutes, and grey masks are seldom alone."""
EXAMPLES = 3
"""Masks that are named for each kind."""
SETTINGS = ("root", "images", "masks", "mask_suffix", "mask_prefix", "mask_pattern")
"""Settings of a source that the doctor needs to see the same data."""


def warn_of_masks(cache: PixelCache, settings: Mapping[str, Any]) -> None:
    """Logs one line about masks that would make results wrong, if there are any, with the doctor's command.

    Args:
        cache: Prepared cache, whose masks are not read again.
        settings: Settings of the data source.
    """
    if not is_first_process():
        return
    doubts = sorted(
        (str(kind), int(row)) for kind, row in cache.remember("mask_doubts-1", lambda: list(_doubts(cache)))
    )
    found = []
    for kind, members in groupby(doubts, key=lambda doubt: doubt[0]):
        ids = [cache.samples[row].id for _, row in members]
        more = ", ..." if len(ids) > EXAMPLES else ""
        found.append(f"{KINDS[kind].title}: {len(ids)} ({', '.join(ids[:EXAMPLES])}{more})")
    if found:
        log.warning("Masks that make results wrong, for a start: %s. See all: %s", "; ".join(found), _command(settings))


def _doubts(cache: PixelCache) -> Iterator[tuple[str, int]]:
    """Yields pairs of a fault and the row of its mask, each once."""
    pairs = {row: sample for row, sample in enumerate(cache.samples) if isinstance(sample, FilePair)}
    found: dict[tuple[str, int], None] = {}
    for row, pair in pairs.items():
        if pair.mask_path.suffix.lower() in JPEG_SUFFIXES:
            found["jpeg_mask", row] = None
        if cache.is_quick:
            kept = cache[row]
            if is_inverted(kept.mask, kept.lesion_share):
                found["inverted_mask", row] = None
    for row in list(pairs)[:: max(1, -(-len(pairs) // LOOKED_INTO))]:
        for kind in _wrong(pairs[row]):
            found[kind, row] = None
    yield from found


def _wrong(pair: FilePair) -> list[str]:
    """Names the doctor's errors in one mask file."""
    examination = Examination(pair, "train", FileFault("unreadable", "not looked at"), examine_mask(pair.mask_path))
    return [finding.name for finding in check_mask(examination) if finding.kind.severity == "error"]


def _command(settings: Mapping[str, Any]) -> str:
    """Writes the doctor's command for the same data; for combined sources only its beginning."""
    name = Path(str(settings["_target_"]).replace(".", "/")).parent.name
    given = [override(f"data.{key}", str(settings[key])) for key in SETTINGS if settings.get(key) is not None]
    return " ".join(
        ["python -m lesionseg.check_data", f"data={name}", *given, *([] if "root" in settings else ["..."])]
    )
