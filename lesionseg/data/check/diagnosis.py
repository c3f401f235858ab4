"""The whole examination of a data source: every file looked at, every check applied."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from lesionseg.data.check.duplicate_checks import check_copies, check_groups, find_copies, picture_of
from lesionseg.data.check.examination import Examination, examine
from lesionseg.data.check.finding import Finding
from lesionseg.data.check.identity_checks import check_archive_images, check_files
from lesionseg.data.check.image_checks import check_image
from lesionseg.data.check.kinds import KINDS, SEVERITIES, Severity
from lesionseg.data.check.mask_checks import check_mask
from lesionseg.data.check.set_checks import (
    check_colours,
    check_fit,
    check_lesion_sizes,
    check_listing,
    check_masks_repeat,
)
from lesionseg.data.sample import Sample
from lesionseg.data.source import PARTS, Listing, Part, Source
from lesionseg.data.split import read_manifest
from lesionseg.system.cores import usable_cores


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        examinations: Every sample as examined.
        findings: All, the worst first.
        layout: How images and masks lie and are named, a line a source, where that was found out.
    """

    examinations: Sequence[Examination]
    findings: Sequence[Finding]
    layout: Sequence[str] = ()

    def count(self, severity: Severity) -> int:
        """Counts the findings of a severity."""
        return sum(finding.kind.severity == severity for finding in self.findings)

    def by_kind(self) -> dict[str, list[Finding]]:
        """Groups the findings, the worst kinds first."""
        return {name: [f for f in self.findings if f.name == name] for name in Counter(f.name for f in self.findings)}


def diagnose(source: Source) -> Diagnosis:
    """Examines a source's samples, by the parts that training would use, and the source as a whole.

    Parts are the published ones, or a manifest's; what training would cut itself is looked at as one part, since cuts
    keep together what shows one lesion.

    Raises:
        InputError: The data are not there.
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


def _samples(source: Source, listing: Listing) -> Iterator[tuple[Sample, Part]]:
    """Lists samples with their part; those that a manifest leaves out are not looked at."""
    published = {part: listing.parts[part] for part in PARTS}
    if not source.split.endswith(".json"):
        yield from ((sample, part) for part in PARTS for sample in published[part])
        return
    at_hand = {sample.id: sample for sample in listing.samples()}
    parts = read_manifest(Path(source.split), sorted(at_hand))
    yield from ((at_hand[id_], part) for part in PARTS for id_ in parts[part])


def _examine_all(samples: Sequence[tuple[Sample, Part]]) -> list[Examination]:
    """Examines on all cores, with a progress bar."""
    with ThreadPoolExecutor(usable_cores()) as threads:
        results = threads.map(lambda pair: examine(*pair), samples)
        hidden = not sys.stdout.isatty()
        text = f"examining {len(samples)} pairs"
        return list(track(results, text, total=len(samples), transient=True, disable=hidden))
