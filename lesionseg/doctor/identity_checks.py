"""Checks of which images the samples are, by the names that public archives gave them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from itertools import combinations

from lesionseg.data.archive_ids import archive_image
from lesionseg.doctor.examination import Examination
from lesionseg.doctor.finding import Finding


def check_archive_images(examinations: Sequence[Examination], same_picture: Set[frozenset[str]]) -> Iterator[Finding]:
    """Yields images of an archive that are there more than once, cropped or outlined otherwise.

    Args:
        examinations: All.
        same_picture: Pairs of ids that have been found as duplicates already.
    """
    members: defaultdict[str, list[Examination]] = defaultdict(list)
    for examination in examinations:
        if name := archive_image(examination.id):
            members[name].append(examination)
    for name, images in members.items():
        ids = tuple(examination.id for examination in images)
        if all(frozenset(pair) in same_picture for pair in combinations(ids, 2)):
            continue
        places = ", ".join(f"{examination.id} ({examination.part})" for examination in images)
        several = len({examination.part for examination in images}) > 1
        kind = "archive_image_in_two_parts" if several else "archive_image_twice_in_part"
        yield Finding(kind, ids, f"{name} of the archive is {places}")
