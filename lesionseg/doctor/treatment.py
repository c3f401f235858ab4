"""What is to be done about each sample: copied, repaired or left out."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lesionseg.data.archive_ids import archive_image
from lesionseg.data.source import PARTS
from lesionseg.doctor.diagnosis import Diagnosis
from lesionseg.doctor.examination import Examination
from lesionseg.doctor.finding import Finding
from lesionseg.errors import InputError

FATAL = ("no_pairs", "masks_named_otherwise", "pairs_do_not_fit")
"""Faults of the whole set, after which no copy of it would be right."""
BEYOND_REPAIR = (
    *("unreadable_image", "truncated_image", "empty_image_file", "tiny_image", "blank_image"),
    *("unreadable_mask", "truncated_mask", "empty_mask_file", "mask_of_other_size", "turned_mask"),
    *("photograph_as_mask", "class_mask"),
)
IN_PARTS = ("copy_in_other_part", "near_copy_in_other_part", "group_in_two_parts", "archive_image_in_two_parts")
LOOSE = ("image_without_mask", "mask_without_image", "images_of_one_name", "masks_of_one_name", "unused_picture")
"""Files that are in no sample."""


class Treatment(NamedTuple):
    """A sample, what was found in it, and why it is left out, if it is."""

    examination: Examination
    kinds: frozenset[str]
    left_out: str | None


def treatments(diagnosis: Diagnosis) -> list[Treatment]:
    """Decides about every sample.

    Left out is what cannot be read or told, of one picture in a part all but the first (both, if their masks differ),
    and of one lesion, or of one image of an archive, in several parts those in the parts before the last. Of other
    pictures that have one name in several parts all stay; they are renamed.

    Raises:
        InputError: The set as a whole is wrong.
    """
    for finding in diagnosis.findings:
        if finding.name in FATAL:
            raise InputError(f"{finding.text}. {finding.kind.title}: no copy is written. {finding.kind.advice}")
    kinds: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    reasons: dict[tuple[str, str], str] = {}
    by_id: defaultdict[str, list[Examination]] = defaultdict(list)
    for examination in diagnosis.examinations:
        by_id[examination.id].append(examination)
    for finding in diagnosis.findings:
        meant = [e for id_ in finding.ids for e in by_id[id_] if finding.is_about(e.part)]
        for examination in meant:
            kinds[examination.id, examination.part].add(finding.name)
            if finding.name in BEYOND_REPAIR:
                reasons[examination.id, examination.part] = finding.text
    for examination, reason in _repeated(diagnosis.findings, by_id, reasons):
        reasons.setdefault((examination.id, examination.part), reason)
    return [
        Treatment(examination, frozenset(kinds[key]), reasons.get(key))
        for examination in diagnosis.examinations
        for key in [(examination.id, examination.part)]
    ]


def _repeated(
    findings: Sequence[Finding], by_id: Mapping[str, Sequence[Examination]], gone: dict[tuple[str, str], str]
) -> Iterator[tuple[Examination, str]]:
    """Yields what shows a picture or lesion again that is also kept elsewhere; `gone` grows meanwhile."""
    other_truths = {frozenset(finding.ids) for finding in findings if finding.name == "other_truth"}
    for finding in findings:
        members = [
            examination
            for id_ in finding.ids
            for examination in by_id.get(id_, ())
            if (examination.id, examination.part) not in gone
        ]
        if _repeats_in_parts(finding) and members:
            last = max(PARTS.index(examination.part) for examination in members)
            yield from ((e, finding.text) for e in members if PARTS.index(e.part) < last)
        elif finding.name == "copy_in_part" and len(members) > 1:
            differ = frozenset(finding.ids) in other_truths
            reason = f"{finding.text}{', with different masks' if differ else ''}"
            yield from ((examination, reason) for examination in members[0 if differ else 1 :])


def _repeats_in_parts(finding: Finding) -> bool:
    """Tells whether a finding is of one picture or lesion in several parts; a name that an archive gave is one."""
    is_archives = finding.name == "id_in_two_parts" and archive_image(finding.ids[0]) is not None
    return finding.name in IN_PARTS or is_archives
