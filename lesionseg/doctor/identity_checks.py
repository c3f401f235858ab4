"""Checks of which images the samples are: by the names that public archives gave them, and by a manifest."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from itertools import combinations
from pathlib import Path

from lesionseg.data.archive_ids import archive_image
from lesionseg.data.digests import changes, digests_of
from lesionseg.data.source import Source
from lesionseg.data.split import read_digests
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


def check_files(source: Source, examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields samples whose files are others than those that the manifest in `data.split` was written for."""
    if not source.split.endswith(".json"):
        return
    if then := read_digests(Path(source.split)):
        now = digests_of([examination.sample for examination in examinations])
        for id_, files in changes(then, now).items():
            yield Finding("changed_file", (id_,), f"{id_}: other files than the split was made with ({files})")
