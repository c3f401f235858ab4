"""Dividing a source into training, validation and test.

`data.split` says where the test part (and, if published, the validation part) comes from:

    official     as published; where no validation part was, `validation_share` of training is cut off
    hold_out     training and validation are thrown together and cut; the test part as published, else `test_share`
    seven_three  training and validation are thrown together; 30 % of them are the test, the published test is left out
    auto         official where there are published parts, else hold_out
    FILE.json    a manifest: exactly the ids it names

`seven_three` has the sizes of the papers that divide ISIC 2017 into 1,505 and 645 images and ISIC 2018 into 1,886 and
808 (EGE-UNet, MALUNet, VM-UNet). Their lists of ids were drawn at random, and they choose the best epoch on the test
part; here `validation_share` is cut from the 70 % for that, so numbers come out lower and mean more.

With `data.fold`, everything but the test part is cut into `data.folds` folds, of which that one validates.

Cuts keep together what shows one lesion (duplicates, or one lesion or patient by the metadata) and deal out lesion
sizes evenly. What was published is not cut anew, so lesions that are in several of its parts are dealt with as
`data.leaks` says.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionseg.data.digests import Digests, require_unchanged
from lesionseg.data.facts import Facts
from lesionseg.data.source import PARTS, Listing, Part, Source
from lesionseg.data.spelling import examples
from lesionseg.data.split import cut, fold_of, manifest, read_digests, read_manifest
from lesionseg.errors import InputError, raise_all

log = logging.getLogger(__name__)

Parts = dict[Part, list[str]]
SEVEN_THREE_TEST_SHARE = 0.3


def divide(source: Source, listing: Listing, facts: Facts, *, check_leaks: bool) -> dict[str, Any]:
    """Divides a source's samples as its settings say.

    Args:
        source: Whose settings count.
        listing: What it has.
        facts: Facts of the listing's samples.
        check_leaks: Apply `source.leaks`, which takes comparing all images with all.

    Returns:
        The manifest, see `lesionseg.data.split.manifest`: plain values.

    Raises:
        InputError: The settings do not fit the data, or the split leaks and `source.leaks` is `refuse`.
    """
    _warn_of_ungrouped(listing)
    how: dict[str, Any] = {"split": source.split, "split_seed": source.split_seed, "leaks": source.leaks}
    if source.split.endswith(".json"):
        parts = read_manifest(Path(source.split), facts.ids)
    else:
        parts = _cut(source, listing, facts)
        shares = {"validation_share": source.validation_share, "test_share": source.test_share}
        how |= {"fold": source.fold, "folds": source.folds, **shares}
    if check_leaks:
        leaks = find_leaks(parts, facts)
        parts, dropped = _without_leaks(source, parts, leaks)
        how |= {"known_leaks": [_places(leak) for leak in leaks], "dropped": dropped}
    return manifest(parts, how)


def require_same_files(source: Source, digests: Callable[[], Digests]) -> None:
    """Makes sure that the files that a manifest names are those that it was written for, as far as it knows.

    Args:
        source: Source whose `split` may name a manifest.
        digests: Returns those of the samples to be used; called only where there is a manifest.

    Raises:
        InputError: The file is no manifest, or lists the samples whose files are others.
    """
    if not source.split.endswith(".json"):
        return
    if then := read_digests(Path(source.split)):
        origin = f"data.split={source.split}"
        require_unchanged(then, digests(), origin=origin, remedy="take `files` out of it if the change was meant")


def find_leaks(parts: Mapping[Part, Sequence[str]], facts: Facts) -> list[dict[str, Part]]:
    """Finds lesions that are in several parts: for each the part of every image of it, by id."""
    part_of = {id_: part for part in PARTS for id_ in parts[part]}
    members: defaultdict[int, dict[str, Part]] = defaultdict(dict)
    for id_, group in zip(facts.ids, facts.groups, strict=True):
        if id_ in part_of:
            members[group][id_] = part_of[id_]
    return [images for images in members.values() if len(set(images.values())) > 1]


def _warn_of_ungrouped(listing: Listing) -> None:
    if listing.ungrouped:
        log.warning(
            "The table of lesions or patients says nothing of %d of %d images (%s): each counts as a lesion of its "
            "own, so one patient's pictures may be in several parts.",
            len(listing.ungrouped),
            len(listing.samples()),
            examples(listing.ungrouped),
        )


def _cut(source: Source, listing: Listing, facts: Facts) -> Parts:
    """Applies the rule and the fold."""
    rule = source.split
    if rule == "auto":
        rule = "official" if listing.official else "hold_out"
    if rule == "official" and not listing.official:
        raise InputError("data.split is official, but these data have no published parts; allowed: hold_out, auto")
    published = listing.ids()
    pool, test = published["train"] + published["validation"], published["test"]
    if rule == "seven_three" or (rule == "hold_out" and not test and source.test_share > 0):
        _require_three_lesions(pool, facts)
    if rule == "seven_three":
        test = _draw(pool, SEVEN_THREE_TEST_SHARE, source, facts)
    elif rule == "hold_out" and not test and source.test_share > 0:
        test = _draw(pool, source.test_share, source, facts)
    rest = sorted(set(pool) - set(test))
    validation = published["validation"] if rule == "official" and source.fold is None else []
    if not validation and rest:
        share = source.validation_share * len(pool) / len(rest)
        if share >= 1 and source.fold is None:
            raise InputError(
                f"data.validation_share is {source.validation_share}, but the test part leaves only "
                f"{len(rest)} of {len(pool)} images; give a smaller share"
            )
        validation = _draw(rest, share, source, facts, fold=source.fold)
    return {"train": sorted(set(rest) - set(validation)), "validation": sorted(validation), "test": sorted(test)}


def _require_three_lesions(ids: Sequence[str], facts: Facts) -> None:
    """Refuses too few lesions in words of all that there are, before one part after the other is cut off."""
    members = set(ids)
    lesions = len({group for id_, group in zip(facts.ids, facts.groups, strict=True) if id_ in members})
    if lesions < len(PARTS):
        raise InputError(
            f"{len(ids)} images of {lesions} lesions are too few for training, validation and test; give at least 3 "
            "lesions, or 2 and leave the test out: data.split=hold_out data.test_share=0"
        )


def _draw(ids: Sequence[str], share: float, source: Source, facts: Facts, *, fold: int | None = None) -> list[str]:
    """Draws a share of the images, or a fold of them."""
    wanted = set(ids)
    rows = [row for row, id_ in enumerate(facts.ids) if id_ in wanted]
    known = [facts.ids[row] for row in rows]
    groups, sizes = [facts.groups[row] for row in rows], [facts.lesion_sizes[row] for row in rows]
    if fold is None:
        return sorted(cut(known, share=share, groups=groups, sizes=sizes, seed=source.split_seed))
    return sorted(fold_of(known, folds=source.folds, fold=fold, groups=groups, sizes=sizes, seed=source.split_seed))


def _without_leaks(source: Source, parts: Parts, leaks: Sequence[Mapping[str, Part]]) -> tuple[Parts, list[str]]:
    """Does what `source.leaks` says: the parts to use, and the ids that were dropped."""
    if not leaks:
        return parts, []
    law = source.split.endswith(".json")
    if source.leaks == "allow":
        log.warning("The split leaks: %d lesions are in several parts (data.leaks=allow).", len(leaks))
        return parts, []
    if source.leaks == "refuse" or law:
        remedy = (
            f"data.leaks=drop changes no manifest, which is law: take the images out of {source.split}, or "
            if law
            else "data.leaks=drop leaves them out of training (and of validation, if the test has them). "
        )
        raise_all(
            "The split leaks: images of one lesion are in several parts, which makes results look better than they "
            f"are. {remedy}data.leaks=allow trains all the same. Either is recorded in every checkpoint.",
            [", ".join(_places(leak)) for leak in leaks],
        )
    dropped = {id_ for leak in leaks for id_, part in leak.items() if PARTS.index(part) < _last(leak)}
    log.info("%d images are left out of training or validation: later parts show the same lesions.", len(dropped))
    return {part: [id_ for id_ in parts[part] if id_ not in dropped] for part in PARTS}, sorted(dropped)


def _last(leak: Mapping[str, Part]) -> int:
    """Number of the part that keeps the lesion: the test, else validation."""
    return max(PARTS.index(part) for part in leak.values())


def _places(leak: Mapping[str, Part]) -> list[str]:
    return [f"{id_} ({part})" for id_, part in sorted(leak.items())]
