"""Checks for one picture, or one lesion, that is in the data more than once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from lesionseg.data.combined import source_name
from lesionseg.data.duplicates import Duplicate, find_duplicates
from lesionseg.doctor.examination import Examination, ImageFacts, MaskFacts
from lesionseg.doctor.finding import Finding

SAME_TRUTH = 0.8
"""Intersection over union from which two masks of one picture agree; near copies may be cropped a little."""


def find_copies(examinations: Sequence[Examination]) -> list[tuple[Examination, Examination, float]]:
    """Pairs the examinations that show one picture, with their likeness; computed samples are never compared."""
    rows = [e for e in examinations if isinstance(e.image, ImageFacts) and e.sample.files]
    pairs: list[Duplicate] = find_duplicates(lambda row: rows[row].image.small, len(rows))  # type: ignore[union-attr]
    return [(rows[pair.first], rows[pair.second], pair.likeness) for pair in pairs]


def check_copies(copies: Sequence[tuple[Examination, Examination, float]]) -> Iterator[Finding]:
    """Yields every pair: a leak where the parts differ, else a thing to know."""
    for first, second, likeness in copies:
        names = "copy" if likeness == 1.0 else "near_copy"
        ids = (first.id, second.id)
        how = "the same pixels" if likeness == 1.0 else f"likeness {likeness:.2f}"
        if first.part != second.part:
            text = f"{first.id} ({first.part}) and {second.id} ({second.part}) show one lesion ({how})"
            yield Finding(f"{names}_in_other_part", ids, text)
        else:
            yield Finding(f"{names}_in_part", ids, f"{first.id} and {second.id}, both {first.part}: {how}")
        if source_name(first.id) != source_name(second.id):
            yield Finding("copy_in_other_source", ids, f"{first.id} and {second.id} come from two sources ({how})")
        yield from _truths(first, second)


def _truths(first: Examination, second: Examination) -> Iterator[Finding]:
    """Compares the masks of one picture."""
    if not isinstance(first.mask, MaskFacts) or not isinstance(second.mask, MaskFacts):
        return
    one, other = first.mask.small.astype(bool), second.mask.small.astype(bool)
    union = np.logical_or(one, other).sum()
    agreement = float(np.logical_and(one, other).sum() / union) if union else 1.0
    if agreement < SAME_TRUTH:
        text = f"the masks of {first.id} and {second.id} overlap by {agreement:.0%} (intersection over union)"
        yield Finding("other_truth", (first.id, second.id), text)


def check_groups(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields lesions or patients, by the metadata, that are in several parts."""
    members: defaultdict[str, list[Examination]] = defaultdict(list)
    for examination in examinations:
        if examination.sample.group is not None:
            members[examination.sample.group].append(examination)
    for group, images in members.items():
        if len({examination.part for examination in images}) > 1:
            places = ", ".join(f"{e.id} ({e.part})" for e in images)
            yield Finding("group_in_two_parts", tuple(e.id for e in images), f"{group}: {places}")
