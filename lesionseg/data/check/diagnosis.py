"""The examination of a data source: every file by every check, or a glance at the masks when a training starts."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from lesionseg.config.command_line import override
from lesionseg.data.cache import PixelCache
from lesionseg.data.check.examination import Examination, FileFault, examine, examine_mask
from lesionseg.data.check.findings import KINDS, SEVERITIES, Finding, Severity
from lesionseg.data.check.sample_checks import check_image, check_mask, is_inverted
from lesionseg.data.check.set_checks import (
    check_colours,
    check_files,
    check_fit,
    check_lesion_sizes,
    check_listing,
    check_repetition,
)
from lesionseg.data.manifest import read_manifest
from lesionseg.data.source import SUBSETS, FilePair, Listing, Sample, Source, Subset
from lesionseg.system.machine import on_all_cores
from lesionseg.system.processes import is_first_process

log = logging.getLogger(__name__)

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
LOOKED_INTO = 64
"""Mask files that a glance reads whole, evenly spread; all would take minutes, and grey masks are seldom alone."""
EXAMPLES = 3  # masks that a glance names for each kind
SETTINGS = ("root", "images", "masks", "mask_suffix", "mask_prefix", "mask_pattern")
"""Settings of a source that the doctor needs to see the same data."""


@dataclass(frozen=True)
class Diagnosis:
    """The doctor's findings."""

    examinations: Sequence[Examination]  # of every sample
    findings: Sequence[Finding]  # the worst first
    layout: Sequence[str] = ()  # a line for each source whose folders and names were found out

    @property
    def counts(self) -> dict[Severity, int]:
        """Number of findings of each severity."""
        return {severity: sum(one.kind.severity == severity for one in self.findings) for severity in SEVERITIES}

    @cached_property
    def _by_id(self) -> dict[str, list[Examination]]:
        groups: dict[str, list[Examination]] = {}
        for examination in self.examinations:
            groups.setdefault(examination.id, []).append(examination)
        return groups

    def about(self, finding: Finding) -> list[Examination]:
        """Lists the samples that a finding is about."""
        members = (one for id_ in finding.ids for one in self._by_id.get(id_, ()))
        return [one for one in members if finding.is_about(one.subset)]

    def by_kind(self) -> dict[str, list[Finding]]:
        """Groups the findings by the name of their kind, the worst first."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.name, []).append(finding)
        return groups


def diagnose(source: Source) -> Diagnosis:
    """Examines the samples of a source and the source as a whole.

    Subsets are the published ones or those of a manifest. Where training would split the images itself, they are
    examined as one, because such splits keep pictures of one lesion together.

    Raises:
        InputError: The data are missing.
    """
    listing = source.listing()
    samples = list(_samples(source, listing))
    examinations = on_all_cores(lambda pair: examine(*pair), samples, f"examining {len(samples)} pairs")
    findings = [*check_listing(source, listing)]
    for examination in examinations:
        findings += [*check_image(examination), *check_mask(examination)]
    findings += [*check_repetition(examinations), *check_files(source, examinations)]
    findings += [*check_colours(examinations), *check_fit(examinations), *check_lesion_sizes(examinations)]
    worst_first = {name: place for place, name in enumerate(KINDS)}
    findings.sort(key=lambda finding: (worst_first[finding.name], finding.ids))
    return Diagnosis(examinations, findings, listing.found)


def warn_of_masks(cache: PixelCache, settings: Mapping[str, Any]) -> None:
    """Logs one line about masks that would make results wrong, if there are any, with the doctor's command.

    The masks of a prepared cache are not read again; the settings are those of the data source.
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


def _samples(source: Source, listing: Listing) -> Iterator[tuple[Sample, Subset]]:
    """Lists samples with their subset, without those that a manifest leaves out."""
    if not source.split.endswith(".json"):
        yield from ((sample, subset) for subset in SUBSETS for sample in listing.subsets[subset])
        return
    at_hand = {sample.id: sample for sample in listing.samples()}
    subsets = read_manifest(Path(source.split), sorted(at_hand))
    yield from ((at_hand[id_], subset) for subset in SUBSETS for id_ in subsets[subset])


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
        for kind in _errors(pairs[row]):
            found[kind, row] = None
    yield from found


def _errors(pair: FilePair) -> list[str]:
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
