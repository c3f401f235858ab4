"""Splits a source into training, validation and test.

`data.split` says where the test subset (and, if published, the validation subset) comes from:

    official     as published; if no validation subset was published, `validation_share` of training is cut off
    hold_out     training and validation are pooled and cut; the test subset as published, else `test_share`
    seven_three  training and validation are pooled; 30 % of them are the test subset, the published one is unused
    auto         official if subsets were published, else hold_out
    FILE.json    a manifest with the ids of each subset

`seven_three` has the sizes of the papers that divide ISIC 2017 into 1,505 and 645 images and ISIC 2018 into 1,886 and
808 (EGE-UNet, MALUNet, VM-UNet). Their lists of ids were drawn at random, and they choose the best epoch on the test
subset. Here `validation_share` is cut from the 70 % for that, so that numbers are lower and mean more.

With `data.fold`, everything except the test subset is cut into `data.folds` folds, one of which validates.

A cut keeps all images of a lesion together (duplicates, or one lesion or patient in the metadata) and gives every
subset the same mix of lesion sizes. Published subsets are not cut again; `data.leaks` says what happens to lesions that
are in several of them.
"""

import functools
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from lesionseg.data.cache import PixelCache, open_cache
from lesionseg.data.duplicates import AGREEING, SAME, Duplicate, clusters, find_duplicates
from lesionseg.data.manifest import digests_of, manifest, read_manifest, require_same_files, require_unchanged
from lesionseg.data.names import archive_image, as_read, examples
from lesionseg.data.source import SUBSETS, Listing, Sample, Source, Subset
from lesionseg.errors import InputError, raise_all

log = logging.getLogger(__name__)

Split = dict[Subset, list[str]]
SEVEN_THREE_TEST_SHARE = 0.3
MOST_BINS = 5  # lesion sizes are stratified by fifths, or more coarsely if there are few images


class Facts:
    """Facts about the samples of a source, in the order of the cache of their pixels, each computed on first use."""

    def __init__(self, samples: Sequence[Sample], cache: PixelCache) -> None:
        self.ids = [sample.id for sample in samples]
        self._samples = samples
        self._cache = cache

    @functools.cached_property
    def duplicates(self) -> list[Duplicate]:
        """Pairs of samples that show one picture. Drawn samples, which have no files, are not compared."""
        if not any(sample.files for sample in self._samples):
            return []
        self._cache.prepare(range(len(self._samples)))
        return [Duplicate(*pair) for pair in self._cache.remember(f"duplicates-{SAME}-{AGREEING}", self._compare)]

    def _compare(self) -> list[Duplicate]:
        log.info("Comparing %d images with each other, so that no lesion is in two subsets.", len(self.ids))
        return find_duplicates(lambda row: self._cache[row].image, len(self.ids))

    @functools.cached_property
    def groups(self) -> list[int]:
        """Label of each sample, equal for one picture, one image of a public archive, one lesion or one patient."""
        pairs = [(pair.first, pair.second) for pair in self.duplicates]
        first_of: dict[tuple[str, str], int] = {}
        for row, sample in enumerate(self._samples):
            for kind, name in (("group", sample.group), ("image", archive_image(sample.id))):
                if name is not None:
                    pairs.append((first_of.setdefault((kind, name), row), row))
        return [int(label) for label in clusters(len(self._samples), pairs)]

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the files of each sample that has any; see `lesionseg.data.manifest`."""
        found: dict[str, str] = self._cache.remember("digests", lambda: digests_of(self._samples))
        return found

    @functools.cached_property
    def lesion_sizes(self) -> list[float]:
        """Share of lesion in the pixels of each ground truth, 0 to 1."""
        self._cache.prepare(range(len(self._samples)))
        return [self._cache[row].lesion_share for row in range(len(self._samples))]


def make_split(source: Source, listing: Listing, facts: Facts, *, check_leaks: bool) -> dict[str, Any]:
    """Splits the samples of a source by its settings.

    With `check_leaks`, `source.leaks` is applied, for which all images are compared with each other.

    Returns:
        A manifest, see `lesionseg.data.manifest.manifest`.

    Raises:
        InputError: The settings do not fit the data, or the split leaks and `source.leaks` is `refuse`.
    """
    if listing.ungrouped:
        log.warning(
            "The table of lesions or patients says nothing of %d of %d images (%s): each counts as a lesion of its "
            "own, so one patient's pictures may be in several subsets.",
            len(listing.ungrouped),
            len(listing.samples()),
            examples(listing.ungrouped),
        )
    how: dict[str, Any] = {"split": source.split, "split_seed": source.split_seed, "leaks": source.leaks}
    if source.split.endswith(".json"):
        split = read_manifest(Path(source.split), facts.ids)
    else:
        split = _by_rule(source, listing, facts)
        shares = {"validation_share": source.validation_share, "test_share": source.test_share}
        how |= {"fold": source.fold, "folds": source.folds, **shares}
    if check_leaks:
        leaks = find_leaks(split, facts)
        split, dropped = _without_leaks(source, split, leaks)
        how |= {"known_leaks": [_with_subsets(leak) for leak in leaks], "dropped": dropped}
    return manifest(split, how)


def _by_rule(source: Source, listing: Listing, facts: Facts) -> Split:
    rule = source.split
    if rule == "auto":
        rule = "official" if listing.official else "hold_out"
    if rule == "official" and not listing.official:
        raise InputError("data.split is official, but these data have no published subsets; allowed: hold_out, auto")
    published = listing.ids()
    pool, test = published["train"] + published["validation"], published["test"]
    test_share = {"seven_three": SEVEN_THREE_TEST_SHARE, "hold_out": 0 if test else source.test_share}.get(rule, 0)
    if test_share > 0:
        _require_three_lesions(pool, facts)
        test = _draw(pool, test_share, source, facts)
    rest = sorted(set(pool) - set(test))
    validation = published["validation"] if rule == "official" and source.fold is None else []
    if not validation and rest:
        share = source.validation_share * len(pool) / len(rest)
        if share >= 1 and source.fold is None:
            raise InputError(
                f"data.validation_share is {source.validation_share}, but the test subset leaves only "
                f"{len(rest)} of {len(pool)} images; give a smaller share"
            )
        validation = _draw(rest, share, source, facts, fold=source.fold)
    return {"train": sorted(set(rest) - set(validation)), "validation": sorted(validation), "test": sorted(test)}


def _require_three_lesions(ids: Sequence[str], facts: Facts) -> None:
    """Refuses too few lesions before any subset is cut off, so that the message counts all of them."""
    members = set(ids)
    lesions = len({group for id_, group in zip(facts.ids, facts.groups, strict=True) if id_ in members})
    if lesions < len(SUBSETS):
        raise InputError(
            f"{len(ids)} images of {lesions} lesions are too few for training, validation and test; give at least 3 "
            "lesions, or 2 and leave the test out: data.split=hold_out data.test_share=0"
        )


def _draw(ids: Sequence[str], share: float, source: Source, facts: Facts, *, fold: int | None = None) -> list[str]:
    """Draws a share of the images, or one of the source's folds."""
    wanted = set(ids)
    rows = [row for row, id_ in enumerate(facts.ids) if id_ in wanted]
    known = [facts.ids[row] for row in rows]
    groups, sizes = [facts.groups[row] for row in rows], [facts.lesion_sizes[row] for row in rows]
    if fold is None:
        return sorted(cut(known, share=share, groups=groups, sizes=sizes, seed=source.split_seed))
    return sorted(fold_of(known, folds=source.folds, fold=fold, groups=groups, sizes=sizes, seed=source.split_seed))


def cut(ids: Sequence[str], *, share: float, groups: Sequence[int], sizes: Sequence[float], seed: int) -> set[str]:
    """Draws a share of the images: whole groups, with the same mix of lesion sizes as the rest.

    Args:
        ids: Ids of the images in any order.
        share: Share of the groups, above 0 and below 1; at least one group is drawn and one left.
        groups: Label of each image; images of one label stay together.
        sizes: Lesion size of each image in any unit.
        seed: Seed of the draw.

    Raises:
        InputError: There are fewer than two groups.
    """
    order, units = _units(ids, groups)
    count = int(units.max(initial=-1)) + 1
    if count < 2:
        raise InputError(f"{len(ids)} images of {count} lesions are too few to split; give at least 2 lesions")
    taken = min(max(1, round(count * share)), count - 1)
    means = np.bincount(units, np.asarray(sizes, float)[order]) / np.bincount(units)
    strata = size_bins(means, most=min(MOST_BINS, taken, count - taken, count // 2))
    _, chosen = train_test_split(np.arange(count), test_size=taken, random_state=seed, stratify=strata)
    return {ids[index] for index in order[np.isin(units, chosen)]}


def fold_of(
    ids: Sequence[str], *, folds: int, fold: int, groups: Sequence[int], sizes: Sequence[float], seed: int
) -> set[str]:
    """Draws one fold of a cross-validation, 0 to folds - 1; the folds of one seed are disjoint and complete.

    See `cut` for the other arguments.

    Raises:
        InputError: There are fewer groups than folds.
    """
    order, units = _units(ids, groups)
    count = int(units.max(initial=-1)) + 1
    if count < folds:
        raise InputError(f"{len(ids)} images of {count} lesions cannot make {folds} folds; give a smaller data.folds")
    strata = size_bins(np.asarray(sizes, float)[order], most=min(MOST_BINS, count // folds))
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    _, chosen = list(splitter.split(strata, strata, units))[fold]
    return {ids[index] for index in order[chosen]}


def size_bins(sizes: NDArray[np.float64], *, most: int) -> NDArray[np.int64]:
    """Numbers sizes by quantile: (N,) in 0..bins-1, with at most `most` bins of even counts."""
    ranks = np.argsort(np.argsort(sizes, kind="stable"), kind="stable")
    return ranks * max(1, most) // max(1, len(sizes))


def _units(ids: Sequence[str], groups: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorts images by id and numbers their groups by first appearance, so that a draw depends on nothing else."""
    order = np.argsort(np.asarray(ids, str), kind="stable")
    _, first, inverse = np.unique(np.asarray(groups)[order], return_index=True, return_inverse=True)
    return order, np.argsort(np.argsort(first))[inverse]


def find_leaks(split: Mapping[Subset, Sequence[str]], facts: Facts) -> list[dict[str, Subset]]:
    """Finds lesions that are in several subsets: for each, the subset of all of its images by id."""
    subset_of = {id_: subset for subset in SUBSETS for id_ in split[subset]}
    members: defaultdict[int, dict[str, Subset]] = defaultdict(dict)
    for id_, group in zip(facts.ids, facts.groups, strict=True):
        if id_ in subset_of:
            members[group][id_] = subset_of[id_]
    return [images for images in members.values() if len(set(images.values())) > 1]


def _without_leaks(source: Source, split: Split, leaks: Sequence[Mapping[str, Subset]]) -> tuple[Split, list[str]]:
    """Applies `source.leaks`: returns the split to use, and the ids that were dropped."""
    if not leaks:
        return split, []
    is_manifest = source.split.endswith(".json")
    if source.leaks == "allow":
        log.warning("The split leaks: %d lesions are in several subsets (data.leaks=allow).", len(leaks))
        return split, []
    if source.leaks == "refuse" or is_manifest:
        drop = (
            f"data.leaks=drop changes no manifest: take the images out of {source.split}, or "
            if is_manifest
            else "data.leaks=drop leaves them out of training (and of validation, if the test has them). "
        )
        raise_all(
            "The split leaks: images of one lesion are in several subsets, which makes results look better than "
            f"they are. {drop}data.leaks=allow trains all the same. Either is recorded in every checkpoint.",
            [", ".join(_with_subsets(leak)) for leak in leaks],
        )
    dropped = {id_ for leak in leaks for id_, subset in leak.items() if subset != max(leak.values(), key=SUBSETS.index)}
    log.info("%d images are left out of training or validation: later subsets show the same lesions.", len(dropped))
    return {subset: [id_ for id_ in split[subset] if id_ not in dropped] for subset in SUBSETS}, sorted(dropped)


def _with_subsets(leak: Mapping[str, Subset]) -> list[str]:
    return [f"{id_} ({subset})" for id_, subset in sorted(leak.items())]


def own_samples(source: Source, subset: str, split: Mapping[str, Any]) -> list[Sample]:
    """Lists the samples of a subset, or of `all`, of a checkpoint's source by its manifest.

    Raises:
        InputError: Images are missing or have changed.
    """
    at_hand = {as_read(sample.id): sample for sample in source.listing().checked().samples()}
    ids: Mapping[str, Sequence[str]] = split["parts"]
    wanted = sorted(id_ for members in ids.values() for id_ in members) if subset == "all" else ids[subset]
    raise_all(
        "The checkpoint's split names images that the data no longer have; give data=... to score others:",
        [id_ for id_ in wanted if as_read(id_) not in at_hand],
    )
    samples = [at_hand[as_read(id_)] for id_ in wanted]
    if then := split.get("files"):
        require_unchanged(then, digests_of(samples), origin="the checkpoint", remedy="give data=... to score others")
    return samples


def other_samples(source: Source, subset: str, image_size: int) -> list[Sample]:
    """Lists the samples of a subset, or of `all`, of any source, split by its settings.

    Images are compared at `image_size` if the split needs that.

    Raises:
        InputError: Files are missing, do not pair up or are not those of the source's manifest.
    """
    listing = source.listing().checked()
    samples = listing.samples()
    if subset == "all":
        return samples
    facts = Facts(samples, open_cache(source.cache, samples, image_size, source.cache_dir))
    ids = set(make_split(source, listing, facts, check_leaks=False)["parts"][subset])
    chosen = [sample for sample in samples if sample.id in ids]
    require_same_files(source, lambda: digests_of(chosen))
    return chosen
