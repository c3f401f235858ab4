"""Checks of a data set as a whole: its subsets, its lesions, its copies, and whether masks belong to their images."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from lesionseg.data.check.examination import Examination, ImageFacts, MaskFacts
from lesionseg.data.check.findings import Finding
from lesionseg.data.combined import source_name
from lesionseg.data.duplicates import clusters, digest, duplicates_among
from lesionseg.data.likeness import field_of_view
from lesionseg.data.manifest import changes, digests_of, read_digests
from lesionseg.data.names import archive_image
from lesionseg.data.source import SUBSETS, Listing, Source, Subset

Key = TypeVar("Key", bound=Hashable)

FEWEST = 10  # images in a subset below which results on it mean little
FEWEST_TO_COMPARE = 40  # images from which sets are compared; fewer would give false alarms
COARSELY = slice(1, None, 3)  # every third row and column, which is enough for mean colours
NEIGHBOURS = 8  # other images' masks that each image's own mask is compared with
FITTING = 0.65
"""Least share of comparisons in which an own mask divides its image best: 0.80 on ISIC 2017, 0.5 when shuffled."""
SHIFT_PROBABILITY = 1e-3  # of the two-sample Kolmogorov-Smirnov test, below which lesion sizes differ
SHIFT_FACTOR = 1.25  # least factor between their medians; with thousands of images, any difference is significant
SAME_TRUTH = 0.8
"""Intersection over union from which two masks of one picture agree; near copies may be slightly cropped."""


class Copy(NamedTuple):
    """Two examinations that show one picture; see `Duplicate`."""

    first: Examination
    second: Examination
    likeness: float
    is_straight: bool


def check_listing(source: Source, listing: Listing) -> Iterator[Finding]:
    """Yields unused files, images without a group, and subsets with too few or too many pairs."""
    if not listing.samples():
        yield Finding("no_pairs", (), f"{getattr(source, 'root', 'the source')} has no image with a mask")
    for fault in listing.faults:
        yield Finding(fault.kind, (fault.id,), fault.text)
    for text in listing.passed_over:
        yield Finding("unused_picture", (), text)
    for id_ in listing.ungrouped:
        yield Finding("image_without_group", (id_,), f"the table of lesions or patients has no row for {id_}")
    subsets_of: defaultdict[str, list[Subset]] = defaultdict(list)
    for subset in SUBSETS:
        for sample in listing.subsets[subset]:
            subsets_of[sample.id].append(subset)
        yield from _check_number(subset, len(listing.subsets[subset]), source.OFFICIAL_COUNTS.get(subset))
    for id_, subsets in subsets_of.items():
        if len(subsets) > 1:
            yield Finding("id_in_two_parts", (id_,), f"{id_} is in {' and in '.join(dict.fromkeys(subsets))}")


def check_files(source: Source, examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields samples whose files have changed since the manifest in `data.split` was written."""
    if not source.split.endswith(".json"):
        return
    if then := read_digests(Path(source.split)):
        now = digests_of([examination.sample for examination in examinations])
        for id_, files in changes(then, now).items():
            yield Finding("changed_file", (id_,), f"{id_}: the split was made with other files ({files})")


def check_colours(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields the number of images with each colour profile other than sRGB."""
    images = (examination.image for examination in examinations)
    profiles = Counter(image.file.profile for image in images if isinstance(image, ImageFacts))
    for profile, number in profiles.most_common():
        if profile is not None:
            yield Finding("colour_profile", (), f"{number} images have the profile {profile}")


def check_lesion_sizes(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields pairs of subsets whose lesion sizes clearly differ."""
    sizes: dict[Subset, list[float]] = {subset: [] for subset in SUBSETS}
    for examination in examinations:
        if isinstance(examination.mask, MaskFacts):
            sizes[examination.subset].append(examination.mask.share)
    for one, other in combinations([subset for subset in SUBSETS if len(sizes[subset]) >= FEWEST_TO_COMPARE], 2):
        medians = np.median(sizes[one]), np.median(sizes[other])
        factor = max(medians) / max(min(medians), 1e-6)
        probability = float(ks_2samp(sizes[one], sizes[other]).pvalue)
        if probability < SHIFT_PROBABILITY and factor > SHIFT_FACTOR:
            text = f"the median lesion covers {medians[0]:.1%} of the picture in {one} and {medians[1]:.1%} in {other}"
            yield Finding("lesion_size_shift", (), f"{text} (Kolmogorov-Smirnov p = {probability:.1g})")


def check_fit(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields a finding if masks divide their own images no more clearly than other images.

    This happens where pairs were made by position in two listings, or where masks were shuffled.
    """
    usable = [
        tuple(array[COARSELY, COARSELY] for array in (e.image.small, e.mask.small, _field(e.image.small)))
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
    inside, outside, whole = (np.maximum(area.sum(axis=1), 1e-6) for area in (lesion, seen - lesion, seen))
    difference = (pixels * lesion).sum(axis=1) / inside - (pixels * (seen - lesion)).sum(axis=1) / outside
    mean = (pixels * seen).sum(axis=(1, 2)) / (3 * whole[:, 0])
    spread = np.sqrt((((pixels - mean[:, None, None]) ** 2) * seen).sum(axis=(1, 2)) / (3 * whole[:, 0]))
    divided = (inside[:, 0] >= 1) & (outside[:, 0] >= 1)
    distance = np.linalg.norm(difference, axis=1) / np.maximum(spread, 1e-6)
    return np.where(divided, distance, 0).astype(np.float32)


def check_repetition(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields pictures, lesions, masks and an archive's images that occur more than once."""
    copies = find_copies(examinations)
    picture_of = _pictures(copies)
    yield from _check_copies(copies)
    yield from _check_groups(examinations)
    yield from _check_masks(examinations, picture_of)
    yield from _check_archive_images(examinations, picture_of)


def find_copies(examinations: Sequence[Examination]) -> list[Copy]:
    """Pairs the examinations that show one picture; computed samples are never compared."""
    images = [(e, e.image) for e in examinations if isinstance(e.image, ImageFacts) and e.sample.files]
    pairs = duplicates_among([digest(image.small) for _, image in images], [image.portrait for _, image in images])
    copies = [Copy(images[pair.first][0], images[pair.second][0], *pair[2:]) for pair in pairs]
    return copies + list(_through_others(copies))


def _through_others(copies: Sequence[Copy]) -> Iterator[Copy]:
    """Pairs versions of a picture in different subsets that are linked only through a third version."""
    paired = {examination.id for copy in copies if copy.first.subset != copy.second.subset for examination in copy[:2]}
    pictures = _pictures(copies)
    versions: defaultdict[int, dict[str, Examination]] = defaultdict(dict)
    for copy in copies:
        versions[pictures[copy.first.id]] |= {examination.id: examination for examination in copy[:2]}
    least = {picture: min(c.likeness for c in copies if pictures[c.first.id] == picture) for picture in versions}
    for picture, members in versions.items():
        for id_, one in members.items():
            other = next((version for version in members.values() if version.subset != one.subset), None)
            if id_ not in paired and other is not None:
                yield Copy(one, other, min(least[picture], 0.9999), False)


def _pictures(copies: Sequence[Copy]) -> dict[str, int]:
    """Numbers the pictures that occur several times, by the ids of their versions."""
    ids = sorted({examination.id for copy in copies for examination in copy[:2]})
    row = {id_: number for number, id_ in enumerate(ids)}
    labels = clusters(len(ids), [(row[copy.first.id], row[copy.second.id]) for copy in copies])
    return dict(zip(ids, map(int, labels), strict=True))


def _check_copies(copies: Sequence[Copy]) -> Iterator[Finding]:
    """Yields every pair of copies: a leak where the subsets differ, otherwise a warning."""
    for first, second, likeness, is_straight in copies:
        name, ids = "copy" if likeness == 1.0 else "near_copy", (first.id, second.id)
        how = "the same pixels" if likeness == 1.0 else f"likeness {likeness:.2f}"
        if first.subset != second.subset:
            text = f"{_places([first, second], ' and ')} show one lesion ({how})"
            yield Finding(f"{name}_in_other_part", ids, text)
        else:
            yield Finding(f"{name}_in_part", ids, f"{first.id} and {second.id}, both {first.subset}: {how}")
        if source_name(first.id) != source_name(second.id):
            yield Finding("copy_in_other_source", ids, f"{first.id} and {second.id} come from two sources ({how})")
        if is_straight:  # otherwise the masks are turned too
            yield from _check_truths(first, second)


def _check_truths(first: Examination, second: Examination) -> Iterator[Finding]:
    """Compares the masks of one picture."""
    if not isinstance(first.mask, MaskFacts) or not isinstance(second.mask, MaskFacts):
        return
    one, other = first.mask.small.astype(bool), second.mask.small.astype(bool)
    union = np.logical_or(one, other).sum()
    agreement = float(np.logical_and(one, other).sum() / union) if union else 1.0
    if agreement < SAME_TRUTH:
        text = f"the masks of {first.id} and {second.id} overlap by {agreement:.0%} (intersection over union)"
        yield Finding("other_truth", (first.id, second.id), text)


def _check_groups(examinations: Sequence[Examination]) -> Iterator[Finding]:
    """Yields lesions or patients of the metadata that are in several subsets."""
    for group, images in _grouped(examinations, lambda one: one.sample.group).items():
        if len({one.subset for one in images}) > 1:
            yield Finding("group_in_two_parts", tuple(one.id for one in images), f"{group}: {_places(images)}")


def _check_masks(examinations: Sequence[Examination], picture_of: Mapping[str, int]) -> Iterator[Finding]:
    """Yields masks, neither empty nor full, that different images share; copies may have equal masks."""
    for images in _grouped(examinations, _mask_content).values():
        ids = tuple(one.id for one in images)
        if len({picture_of.get(id_, id_) for id_ in ids}) > 1:
            yield Finding("repeated_mask", ids, f"{', '.join(ids)} have the same mask")


def _check_archive_images(examinations: Sequence[Examination], picture_of: Mapping[str, int]) -> Iterator[Finding]:
    """Yields images that a public archive gave one name, for example cropped ones, and that are no copies."""
    for name, images in _grouped(examinations, lambda one: archive_image(one.id)).items():
        ids = tuple(one.id for one in images)
        if len({picture_of.get(id_, id_) for id_ in ids}) > 1:
            several = len({one.subset for one in images}) > 1
            kind = "archive_image_in_two_parts" if several else "archive_image_twice_in_part"
            yield Finding(kind, ids, f"{name} of the archive is {_places(images)}")


def _check_number(subset: Subset, found: int, published: int | None) -> Iterator[Finding]:
    if published is not None and 0 < found < published:
        yield Finding("missing_official_pairs", (), f"{subset} has {found} pairs; {published} were published")
    if published is not None and found > published:
        yield Finding("unexpected_pairs", (), f"{subset} has {found} pairs; {published} were published")
    if 0 < found < FEWEST:
        yield Finding("small_part", (), f"{subset} has {found} images")


def _field(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Marks the pixels of an (H, W, 3) image that are no frame; all of them where none would be left."""
    field = field_of_view(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8))
    return field if field.any() else np.ones_like(field)


def _mask_content(examination: Examination) -> bytes | None:
    mask = examination.mask
    return mask.content if isinstance(mask, MaskFacts) and 0 < mask.share < 1 else None


def _grouped(
    examinations: Sequence[Examination], key: Callable[[Examination], Key | None]
) -> dict[Key, list[Examination]]:
    """Groups the examinations that have a key."""
    groups: defaultdict[Key, list[Examination]] = defaultdict(list)
    for examination in examinations:
        if (found := key(examination)) is not None:
            groups[found].append(examination)
    return groups


def _places(examinations: Sequence[Examination], separator: str = ", ") -> str:
    return separator.join(f"{one.id} ({one.subset})" for one in examinations)
