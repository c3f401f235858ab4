"""The whole examination of a data source: reads every file and applies every check."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from lesionseg.data.check.duplicate_checks import check_copies, check_groups, find_copies, picture_of
from lesionseg.data.check.examination import Examination, examine
from lesionseg.data.check.findings import KINDS, SEVERITIES, Finding, Severity
from lesionseg.data.check.sample_checks import check_image, check_mask
from lesionseg.data.check.set_checks import (
    check_archive_images,
    check_colours,
    check_files,
    check_fit,
    check_lesion_sizes,
    check_listing,
    check_masks_repeat,
)
from lesionseg.data.manifest import read_manifest
from lesionseg.data.source import SUBSETS, Listing, Sample, Source, Subset
from lesionseg.system.machine import usable_cores


@dataclass(frozen=True)
class Diagnosis:
    """The doctor's findings.

    Attributes:
        examinations: Every sample as examined.
        findings: Every finding, the worst first.
        layout: A line for each source whose folders and names were found out.
    """

    examinations: Sequence[Examination]
    findings: Sequence[Finding]
    layout: Sequence[str] = ()

    @property
    def counts(self) -> dict[Severity, int]:
        """Number of findings of each severity."""
        return {severity: sum(one.kind.severity == severity for one in self.findings) for severity in SEVERITIES}

    def by_kind(self) -> dict[str, list[Finding]]:
        """Groups the findings by the name of their kind, the worst first."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.name, []).append(finding)
        return groups


def diagnose(source: Source) -> Diagnosis:
    """Examines the samples of a source and the source as a whole.

    Parts are the published ones or those of a manifest. Where training would split the images itself, they are examined
    as one part, because such splits keep pictures of one lesion together.

    Raises:
        InputError: The data are missing.
    """
    listing = source.listing()
    examinations = _examine_all(list(_samples(source, listing)))
    findings = [*check_listing(source, listing)]
    for examination in examinations:
        findings += [*check_image(examination), *check_mask(examination)]
    copies = find_copies(examinations)
    pictures = picture_of(copies)
    findings += [*check_copies(copies), *check_groups(examinations), *check_masks_repeat(examinations, pictures)]
    findings += [*check_archive_images(examinations, pictures), *check_files(source, examinations)]
    findings += [*check_colours(examinations), *check_fit(examinations), *check_lesion_sizes(examinations)]
    order = {name: (SEVERITIES.index(kind.severity), place) for place, (name, kind) in enumerate(KINDS.items())}
    findings.sort(key=lambda finding: (order[finding.name], finding.ids))
    return Diagnosis(examinations, findings, listing.found)


def _samples(source: Source, listing: Listing) -> Iterator[tuple[Sample, Subset]]:
    """Lists samples with their part, without those that a manifest leaves out."""
    if not source.split.endswith(".json"):
        yield from ((sample, part) for part in SUBSETS for sample in listing.subsets[part])
        return
    at_hand = {sample.id: sample for sample in listing.samples()}
    parts = read_manifest(Path(source.split), sorted(at_hand))
    yield from ((at_hand[id_], part) for part in SUBSETS for id_ in parts[part])


def _examine_all(samples: Sequence[tuple[Sample, Subset]]) -> list[Examination]:
    """Examines on all cores, with a progress bar on a terminal."""
    with ThreadPoolExecutor(usable_cores()) as threads:
        results = threads.map(lambda pair: examine(*pair), samples)
        hidden = not sys.stdout.isatty()
        return list(track(results, f"examining {len(samples)} pairs", len(samples), transient=True, disable=hidden))
