"""Checks of a data set as a whole: its parts, its lesion sizes, and whether masks belong to their images."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from lesionseg.data.check.examination import Examination, ImageFacts, MaskFacts
from lesionseg.data.check.findings import Finding
from lesionseg.data.likeness import field_of_view
from lesionseg.data.manifest import changes, digests_of, read_digests
from lesionseg.data.names import archive_image
from lesionseg.data.source import SUBSETS, Listing, Source, Subset

FEWEST = 10
"""Images in a part below which results on it mean little."""
FEWEST_TO_COMPARE = 40
"""Images from which sets are compared; fewer would give false alarms."""
COARSELY = slice(1, None, 3)
"""Selects every third row and column, which is enough for mean colours."""
NEIGHBOURS = 8
"""Number of other images' masks that each image's own mask is compared with."""
FITTING = 0.65
"""Least share of comparisons in which an own mask divides its image best: 0.80 on ISIC 2017, 0.5 when shuffled."""
SHIFT_PROBABILITY = 1e-3
"""Probability of the two-sample Kolmogorov-Smirnov test below which lesion sizes differ."""
SHIFT_FACTOR = 1.25
"""Least factor between their medians; with thousands of images, any difference is significant."""


def check_listing(source: Source, listing: Listing) -> Iterator[Finding]:
    """Yields unused files, images without a group, and parts with too few or too many pairs."""
    if not listing.samples():
        yield Finding("no_pairs", (), f"{getattr(source, 'root', 'the source')} has no image with a mask")
    for fault in listing.faults:
        yield Finding(fault.kind, (fault.id,), fault.text)
    for text in listing.passed_over:
        yield Finding("unused_picture", (), text)
    for id_ in listing.ungrouped:
        yield Finding("image_without_group", (id_,), f"the table of lesions or patients has no row for {id_}")
    for id_, times in Counter(sample.id for part in SUBSETS for sample in listing.subsets[part]).items():
        if times > 1:
            parts = [part for part in SUBSETS if any(sample.id == id_ for sample in listing.subsets[part])]
            yield Finding("id_in_two_parts", (id_,), f"{id_} is in {' and in '.join(parts)}")
    for part in SUBSETS:
        yield from _number(part, len(listing.subsets[part]), source.OFFICIAL_COUNTS.get(part))


def _number(part: Subset, found: int, published: int | None) -> Iterator[Finding]:
    if published is not None and 0 < found < published:
        yield Finding("missing_official_pairs", (), f"{part} has {found} pairs; {published} were published")
    if published is not None and found > published:
        yield Finding("unexpected_pairs", (), f"{part} has {found} pairs; {published} were published")
    if 0 < found < FEWEST:
        yield Finding("small_part", (), f"{part} has {found} images")


def check_masks_repeat(examinations: Sequence[Examination], picture_of: Mapping[str, int]) -> Iterator[Finding]:
    """Yields masks, neither empty nor full, that different images share.

    Args:
        examinations: Every sample.
        picture_of: Number of the picture of each id that is a copy; copies may have equal masks.
    """
    users: defaultdict[bytes, list[str]] = defaultdict(list)
    for examination in examinations:
        mask = examination.mask
        if isinstance(mask, MaskFacts) and 0 < mask.share < 1:
            users[mask.content].append(examination.id)
    for ids in users.values():
        if len({picture_of.get(id_, id_) for id_ in ids}) > 1:
            yield Finding("repeated_mask", tuple(ids), f"{', '.join(ids)} have the same mask")


def check_colours(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields the number of images with each colour profile other than sRGB."""
    images = (examination.image for examination in examinations)
    profiles = Counter(image.file.profile for image in images if isinstance(image, ImageFacts))
    for profile, number in profiles.most_common():
        if profile is not None:
            yield Finding("colour_profile", (), f"{number} images have the profile {profile}")


def check_fit(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields a finding if masks divide their own images no more clearly than other images.

    This happens where pairs were made by position in two listings, or where masks were shuffled.
    """
    usable = [
        (e.image.small[COARSELY, COARSELY], e.mask.small[COARSELY, COARSELY], _field(e.image.small)[COARSELY, COARSELY])
        for e in examinations
        if isinstance(e.image, ImageFacts) and isinstance(e.mask, MaskFacts) and 0 < e.mask.share < 1
    ]
    if len(usable) < FEWEST_TO_COMPARE:
        return
    images, masks, fields = (np.stack(arrays) for arrays in zip(*usable, strict=True))
    own = contrast(images, masks, fields)
    others = (contrast(images, np.roll(masks, step, 0), fields) for step in range(1, NEIGHBOURS + 1))
    share = float(np.mean([own > other for other in others]))
    if share < FITTING:
        text = f"an image's own mask divides it more clearly than another's in only {share:.0%} of the comparisons"
        yield Finding("pairs_do_not_fit", (), f"{text} (by chance: 50 %)")


def contrast(images: NDArray[np.uint8], masks: NDArray[np.uint8], fields: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measures how clearly masks divide images by the distance of the mean colours inside and outside.

    Args:
        images: (N, H, W, 3).
        masks: (N, H, W) in {0, 1}.
        fields: (N, H, W) in {0, 1}: 0 in a black frame, which would outweigh the skin.

    Returns:
        (N,) in standard deviations of each image; 0 where a mask is empty or full.
    """
    pixels = images.reshape(len(images), -1, 3).astype(np.float32)
    seen = fields.reshape(len(fields), -1, 1).astype(np.float32)
    lesion = masks.reshape(len(masks), -1, 1) * seen
    inside, outside, whole = (np.maximum(part.sum(axis=1), 1e-6) for part in (lesion, seen - lesion, seen))
    difference = (pixels * lesion).sum(axis=1) / inside - (pixels * (seen - lesion)).sum(axis=1) / outside
    mean = (pixels * seen).sum(axis=(1, 2)) / (3 * whole[:, 0])
    spread = np.sqrt((((pixels - mean[:, None, None]) ** 2) * seen).sum(axis=(1, 2)) / (3 * whole[:, 0]))
    divided = (inside[:, 0] >= 1) & (outside[:, 0] >= 1)
    distance = np.linalg.norm(difference, axis=1) / np.maximum(spread, 1e-6)
    return np.where(divided, distance, 0).astype(np.float32)


def _field(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Marks the pixels of an (H, W, 3) image that are no frame; all of them where none would be left."""
    field = field_of_view(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8))
    return field if field.any() else np.ones_like(field)


def check_lesion_sizes(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields pairs of parts whose lesion sizes clearly differ."""
    sizes: dict[Subset, list[float]] = {part: [] for part in SUBSETS}
    for examination in examinations:
        if isinstance(examination.mask, MaskFacts):
            sizes[examination.part].append(examination.mask.share)
    for one, other in combinations([part for part in SUBSETS if len(sizes[part]) >= FEWEST_TO_COMPARE], 2):
        medians = np.median(sizes[one]), np.median(sizes[other])
        factor = max(medians) / max(min(medians), 1e-6)
        probability = float(ks_2samp(sizes[one], sizes[other]).pvalue)
        if probability < SHIFT_PROBABILITY and factor > SHIFT_FACTOR:
            text = f"the median lesion covers {medians[0]:.1%} of the picture in {one} and {medians[1]:.1%} in {other}"
            yield Finding("lesion_size_shift", (), f"{text} (Kolmogorov-Smirnov p = {probability:.1g})")


def check_archive_images(examinations: Sequence[Examination], picture_of: Mapping[str, int]) -> Iterator[Finding]:
    """Yields images that a public archive gave one name, for example cropped ones, and that are no copies.

    Args:
        examinations: Every sample.
        picture_of: Number of the picture of each id that is a copy.
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
    """Yields samples whose files have changed since the manifest in `data.split` was written."""
    if not source.split.endswith(".json"):
        return
    if then := read_digests(Path(source.split)):
        now = digests_of([examination.sample for examination in examinations])
        for id_, files in changes(then, now).items():
            yield Finding("changed_file", (id_,), f"{id_}: the split was made with other files ({files})")
