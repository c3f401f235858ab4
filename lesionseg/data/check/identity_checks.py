"""Checks of which images the samples are: by the names that public archives gave them, and by a manifest."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lesionseg.data.check.examination import Examination
from lesionseg.data.check.finding import Finding
from lesionseg.data.digests import changes, digests_of
from lesionseg.data.names import archive_image
from lesionseg.data.source import Source
from lesionseg.data.split import read_digests


def check_archive_images(examinations: Sequence[Examination], picture_of: Mapping[str, int]) -> Iterator[Finding]:
    """Yields images of an archive that are there more than once, cropped or outlined otherwise.

    Args:
        examinations: All.
        picture_of: A number for each id whose picture has been found several times already.
    """
    members: defaultdict[str, list[Examination]] = defaultdict(list)
    for examination in examinations:
        if name := archive_image(examination.id):
            members[name].append(examination)
    for name, images in members.items():
        ids = tuple(examination.id for examination in images)
        if len({picture_of.get(id_, id_) for id_ in ids}) == 1:
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
