"""Checks for pictures and lesions that occur more than once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lesionseg.data.check.examination import Examination, ImageFacts, MaskFacts
from lesionseg.data.check.findings import Finding
from lesionseg.data.combined import source_name
from lesionseg.data.duplicates import clusters, digest, duplicates_among

SAME_TRUTH = 0.8
"""Intersection over union from which two masks of one picture agree; near copies may be slightly cropped."""


class Copy(NamedTuple):
    """Two examinations that show one picture; see `Duplicate`."""

    first: Examination
    second: Examination
    likeness: float
    is_straight: bool


def find_copies(examinations: Sequence[Examination]) -> list[Copy]:
    """Pairs the examinations that show one picture; computed samples are never compared."""
    images = [(e, e.image) for e in examinations if isinstance(e.image, ImageFacts) and e.sample.files]
    pairs = duplicates_among([digest(image.small) for _, image in images], [image.portrait for _, image in images])
    copies = [Copy(images[pair.first][0], images[pair.second][0], *pair[2:]) for pair in pairs]
    return copies + list(_through_others(copies))


def _through_others(copies: Sequence[Copy]) -> Iterator[Copy]:
    """Pairs versions of a picture in different parts that are linked only through a third version."""
    paired = {examination.id for copy in copies if copy.first.part != copy.second.part for examination in copy[:2]}
    pictures = picture_of(copies)
    versions: defaultdict[int, dict[str, Examination]] = defaultdict(dict)
    for copy in copies:
        versions[pictures[copy.first.id]] |= {examination.id: examination for examination in copy[:2]}
    least = {picture: min(c.likeness for c in copies if pictures[c.first.id] == picture) for picture in versions}
    for picture, members in versions.items():
        for id_, one in members.items():
            other = next((version for version in members.values() if version.part != one.part), None)
            if id_ not in paired and other is not None:
                yield Copy(one, other, min(least[picture], 0.9999), False)


def picture_of(copies: Sequence[Copy]) -> dict[str, int]:
    """Numbers the pictures that occur several times, by the ids of their versions."""
    ids = sorted({examination.id for copy in copies for examination in copy[:2]})
    row = {id_: number for number, id_ in enumerate(ids)}
    labels = clusters(len(ids), [(row[copy.first.id], row[copy.second.id]) for copy in copies])
    return dict(zip(ids, map(int, labels), strict=True))


def check_copies(copies: Sequence[Copy]) -> Iterator[Finding]:
    """Yields every pair of copies: a leak where the parts differ, otherwise a warning."""
    for first, second, likeness, is_straight in copies:
        name, ids = "copy" if likeness == 1.0 else "near_copy", (first.id, second.id)
        how = "the same pixels" if likeness == 1.0 else f"likeness {likeness:.2f}"
        if first.part != second.part:
            text = f"{first.id} ({first.part}) and {second.id} ({second.part}) show one lesion ({how})"
            yield Finding(f"{name}_in_other_part", ids, text)
        else:
            yield Finding(f"{name}_in_part", ids, f"{first.id} and {second.id}, both {first.part}: {how}")
        if source_name(first.id) != source_name(second.id):
            yield Finding("copy_in_other_source", ids, f"{first.id} and {second.id} come from two sources ({how})")
        if is_straight:  # otherwise the masks are turned too
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
    """Yields lesions or patients of the metadata that are in several parts."""
    members: defaultdict[str, list[Examination]] = defaultdict(list)
    for examination in examinations:
        if examination.sample.group is not None:
            members[examination.sample.group].append(examination)
    for group, images in members.items():
        if len({examination.part for examination in images}) > 1:
            places = ", ".join(f"{e.id} ({e.part})" for e in images)
            yield Finding("group_in_two_parts", tuple(e.id for e in images), f"{group}: {places}")
