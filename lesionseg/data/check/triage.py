"""The samples that a repaired copy leaves out, and why."""

from collections.abc import Iterator, Mapping

from lesionseg.data.check.diagnosis import Diagnosis
from lesionseg.data.check.examination import Examination, Key
from lesionseg.data.check.findings import Finding
from lesionseg.data.names import archive_image
from lesionseg.data.source import SUBSETS
from lesionseg.errors import InputError

FATAL = ("no_pairs", "masks_named_otherwise", "pairs_do_not_fit")
"""Faults of the whole set, after which no copy of it would be right."""
BEYOND_REPAIR = (
    *("unreadable_image", "truncated_image", "empty_image_file", "tiny_image", "blank_image"),
    *("unreadable_mask", "truncated_mask", "empty_mask_file", "mask_of_other_size", "turned_mask"),
    *("photograph_as_mask", "class_mask"),
)
IN_SUBSETS = ("copy_in_other_part", "near_copy_in_other_part", "group_in_two_parts", "archive_image_in_two_parts")


def triage(diagnosis: Diagnosis) -> tuple[dict[Key, set[str]], dict[Key, str]]:
    """Collects the kinds of findings about every sample, and why samples are left out.

    Samples are left out that cannot be read or understood. Of copies in one subset the first is kept, or none where
    their masks differ. Of one lesion, or one image of a public archive, in several subsets, the last of these keeps it.
    Other pictures of one name in several subsets all stay; they are renamed.

    Raises:
        InputError: The set as a whole is wrong.
    """
    kinds: dict[Key, set[str]] = {one.key: set() for one in diagnosis.examinations}
    left_out: dict[Key, str] = {}
    for finding in diagnosis.findings:
        if finding.name in FATAL:
            raise InputError(f"{finding.text}. {finding.kind.title}: no copy is written. {finding.kind.advice}")
        for one in diagnosis.about(finding):
            kinds[one.key].add(finding.name)
            if finding.name in BEYOND_REPAIR:
                left_out[one.key] = finding.text
    for one, reason in _repeated(diagnosis, left_out):
        left_out.setdefault(one.key, reason)
    return kinds, left_out


def _repeated(diagnosis: Diagnosis, left_out: Mapping[Key, str]) -> Iterator[tuple[Examination, str]]:
    """Yields samples whose picture or lesion is also kept elsewhere; `left_out` grows meanwhile."""
    other_truths = {frozenset(finding.ids) for finding in diagnosis.findings if finding.name == "other_truth"}
    for finding in diagnosis.findings:
        members = [one for one in diagnosis.about(finding) if one.key not in left_out]
        if _is_repeated_in_subsets(finding) and members:
            last = max(SUBSETS.index(one.subset) for one in members)
            yield from ((one, finding.text) for one in members if SUBSETS.index(one.subset) < last)
        elif finding.name == "copy_in_part" and len(members) > 1:
            differ = frozenset(finding.ids) in other_truths
            reason = f"{finding.text}{', with different masks' if differ else ''}"
            yield from ((one, reason) for one in members[0 if differ else 1 :])


def _is_repeated_in_subsets(finding: Finding) -> bool:
    """Tells whether a finding is about one picture or lesion in several subsets, as a name given by an archive is."""
    is_of_archive = finding.name == "id_in_two_parts" and archive_image(finding.ids[0]) is not None
    return finding.name in IN_SUBSETS or is_of_archive
