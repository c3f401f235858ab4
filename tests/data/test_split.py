"""Splits: where each part comes from, whole lesions, even sizes, fixed by a seed alone, and what happens to leaks."""

import json
import logging
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lesionseg.data.split
from lesionseg.data.cache import PixelCache, open_cache
from lesionseg.data.combined import Combined
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.folder import Folder
from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import SUBSETS, CacheName, FilePair, Listing, Sample
from lesionseg.data.split import Facts, cut, find_leaks, fold_of, make_split, other_samples, own_samples, size_bins
from lesionseg.errors import InputError


class Images:
    """So many images, some of one lesion, of skewed sizes as lesions are."""

    def __init__(self, count: int, *, per_lesion: int = 1, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.ids = [f"{number:03d}" for number in range(count)]
        self.groups = [number // per_lesion for number in range(count)]
        self.sizes = list(rng.beta(1, 4, count))
        self.size_of = dict(zip(self.ids, self.sizes, strict=True))

    def everything(self) -> dict[str, Any]:
        return {"ids": self.ids, "groups": self.groups, "sizes": self.sizes}

    def shuffled(self, *, relabelled: bool = True) -> dict[str, Any]:
        """The same images in another order, their groups under other numbers."""
        order = random.Random(3).sample(range(len(self.ids)), len(self.ids))
        names = random.Random(4).sample(range(1000), 1 + max(self.groups))
        return {
            "ids": [self.ids[row] for row in order],
            "groups": [names[self.groups[row]] if relabelled else self.groups[row] for row in order],
            "sizes": [self.sizes[row] for row in order],
        }

    def mean_size(self, ids: Sequence[str] | set[str]) -> float:
        return float(np.mean([self.size_of[id_] for id_ in ids]))


def folds_of(images: Images, folds: int = 5, seed: int = 0) -> list[set[str]]:
    return [fold_of(folds=folds, fold=fold, seed=seed, **images.everything()) for fold in range(folds)]


@pytest.mark.parametrize(
    ("count", "share", "taken"),
    [(100, 0.15, 15), (12, 0.25, 3), (12, 0.01, 1), (12, 0.99, 11), (2, 0.5, 1), (3, 0.2, 1), (2000, 0.075, 150)],
)
def test_a_cut_takes_the_share_but_at_least_one_and_never_all(count: int, share: float, taken: int) -> None:
    images = Images(count)
    chosen = cut(share=share, seed=0, **images.everything())
    assert len(chosen) == taken
    assert chosen < set(images.ids)


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_takes_whole_lesions(seed: int) -> None:
    images = Images(90, per_lesion=3)
    chosen = cut(share=0.2, seed=seed, **images.everything())
    assert len(chosen) == 18
    assert len({images.groups[int(id_)] for id_ in chosen}) == 6


@pytest.mark.parametrize("seed", range(5))
def test_both_sides_of_a_cut_have_lesions_of_like_sizes(seed: int) -> None:
    images = Images(200)
    chosen = cut(share=0.2, seed=seed, **images.everything())
    rest = set(images.ids) - chosen
    assert images.mean_size(chosen) == pytest.approx(images.mean_size(rest), rel=0.1)
    largest = sorted(images.ids, key=images.size_of.__getitem__)[-40:]
    assert len(chosen & set(largest)) == 8  # a fifth of the largest fifth


def test_the_seed_decides() -> None:
    images = Images(60)
    everything = images.everything()
    assert cut(share=0.2, seed=7, **everything) == cut(share=0.2, seed=7, **everything)
    assert cut(share=0.2, seed=7, **everything) != cut(share=0.2, seed=8, **everything)
    assert folds_of(images, seed=7)[0] != folds_of(images, seed=8)[0]


def test_neither_the_order_of_the_images_nor_the_numbers_of_their_lesions_count() -> None:
    images = Images(61, per_lesion=2)
    assert cut(share=0.3, seed=1, **images.shuffled()) == cut(share=0.3, seed=1, **images.everything())
    for fold in range(4):
        chosen = fold_of(folds=4, fold=fold, seed=1, **images.everything())
        assert fold_of(folds=4, fold=fold, seed=1, **images.shuffled()) == chosen


def test_a_split_made_today_is_the_split_of_tomorrow() -> None:
    """Written down from the first version: another library version must not move images into the training part."""
    ids = [f"{number:02d}" for number in range(12)]
    sizes = [number % 5 / 10 for number in range(12)]
    groups = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert sorted(cut(ids, share=0.25, groups=groups, sizes=sizes, seed=0)) == ["08", "10", "11"]
    folds = [sorted(fold_of(ids, folds=3, fold=fold, groups=groups, sizes=sizes, seed=0)) for fold in range(3)]
    assert folds == [["00", "01", "02", "08"], ["03", "04", "05", "07"], ["06", "09", "10", "11"]]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_lesions_to_cut_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} images of {count} lesions are too few to split"):
        cut(share=0.2, seed=0, **Images(count).everything())


def test_images_of_a_single_lesion_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="6 images of 1 lesions are too few"):
        cut(share=0.2, seed=0, **Images(6, per_lesion=6).everything())


@pytest.mark.parametrize(("count", "folds"), [(100, 5), (103, 5), (10, 2), (7, 3), (5, 5)])
def test_folds_are_disjoint_complete_and_of_even_size(count: int, folds: int) -> None:
    images = Images(count)
    made = folds_of(images, folds)
    assert sorted(id_ for fold in made for id_ in fold) == images.ids
    assert max(map(len, made)) - min(map(len, made)) <= 2
    assert min(map(len, made)) >= 1


def test_folds_keep_lesions_whole_and_have_lesions_of_like_sizes() -> None:
    images = Images(300, per_lesion=2)
    made = folds_of(images)
    lesions = [{images.groups[int(id_)] for id_ in fold} for fold in made]
    assert sum(map(len, lesions)) == 150
    for fold in made:
        assert len(fold) == pytest.approx(60, abs=3)
        assert images.mean_size(fold) == pytest.approx(images.mean_size(images.ids), rel=0.1)


def test_too_few_lesions_for_the_folds_are_refused() -> None:
    with pytest.raises(InputError, match=r"8 images of 4 lesions cannot make 5 folds; give a smaller data\.folds"):
        fold_of(folds=5, fold=0, seed=0, **Images(8, per_lesion=2).everything())


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([0.3, 0.1, 0.2, 0.4], 2, [1, 0, 0, 1]),
        ([0.3, 0.1, 0.2, 0.4], 4, [2, 0, 1, 3]),
        ([0.5, 0.1, 0.3], 1, [0, 0, 0]),
        ([0.5, 0.1, 0.3], 0, [0, 0, 0]),
        ([1.0, 1.0, 1.0, 1.0], 2, [0, 0, 1, 1]),  # equal sizes are dealt out too
        ([], 5, []),
    ],
)
def test_sizes_are_numbered_by_quantile(sizes: list[float], most: int, expected: list[int]) -> None:
    assert size_bins(np.array(sizes), most=most).tolist() == expected


def test_bins_are_as_even_as_they_can_be() -> None:
    counts = np.bincount(size_bins(np.random.default_rng(0).random(103), most=5))
    assert sorted(counts.tolist()) == [20, 20, 21, 21, 21]


Divide = Callable[..., dict[str, Any]]

PUBLISHED = {"train": 14, "validation": 6, "test": 5}
"""Images of a source with published parts, named t00, v00, x00 and so on."""


def names(counts: Mapping[str, int]) -> dict[str, list[str]]:
    letters = {"train": "t", "validation": "v", "test": "x"}
    return {part: [f"{letters[part]}{number:02d}" for number in range(counts.get(part, 0))] for part in SUBSETS}


@pytest.fixture
def division(folder_source: Any) -> Divide:
    """Divides images that are nothing but ids; `lesions` lists those that show one lesion."""

    def divided(
        counts: Mapping[str, int] = PUBLISHED,
        *,
        official: bool = True,
        lesions: Sequence[set[str]] = (),
        check_leaks: bool = True,
        **settings: Any,
    ) -> dict[str, Any]:
        parts = names(counts)
        listing = Listing(
            {part: [FilePair(id_, Path(id_), Path(id_)) for id_ in parts[part]] for part in SUBSETS}, official=official
        )
        ids = [sample.id for sample in listing.samples()]
        label = {id_: number for number, id_ in enumerate(ids)}
        for lesion in lesions:
            label |= dict.fromkeys(lesion, len(ids) + len(label) + min(label[id_] for id_ in lesion))
        sizes = [int(id_[1:]) / 100 for id_ in ids]
        facts: Any = SimpleNamespace(ids=ids, groups=[label[id_] for id_ in ids], lesion_sizes=sizes)
        source = folder_source(Path("unused"), **settings)
        return make_split(source, listing, facts, check_leaks=check_leaks)

    return divided


def counts(divided: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(len(divided["parts"][part]) for part in SUBSETS)


def everyone(divided: Mapping[str, Any]) -> list[str]:
    return sorted(chain(*divided["parts"].values()))


# Rules


def test_official_parts_are_kept_whatever_seed_and_shares_are(division: Divide) -> None:
    for seed, share in ((0, 0.15), (9, 0.6)):
        divided = division(split="official", split_seed=seed, validation_share=share, test_share=0.3)
        assert divided["parts"] == names(PUBLISHED)


def test_where_no_validation_was_published_it_is_cut_from_training_only(division: Divide) -> None:
    divided = division({"train": 20, "test": 5}, split="official", validation_share=0.2)
    assert counts(divided) == (16, 4, 5)
    assert divided["parts"]["test"] == names({"test": 5})["test"]
    assert all(id_.startswith("t") for id_ in divided["parts"]["validation"])
    other = division({"train": 20, "test": 5}, split="official", validation_share=0.2, split_seed=1)
    assert other["parts"]["validation"] != divided["parts"]["validation"]


def test_hold_out_cuts_training_and_validation_anew_and_keeps_a_published_test(division: Divide) -> None:
    divided = division(split="hold_out", validation_share=0.25, test_share=0.5)
    assert counts(divided) == (15, 5, 5)
    assert divided["parts"]["test"] == names(PUBLISHED)["test"]
    assert {id_[0] for id_ in divided["parts"]["train"]} == {"t", "v"}


@pytest.mark.parametrize(("test_share", "expected"), [(0.1, (15, 3, 2)), (0, (17, 3, 0)), (0.4, (9, 3, 8))])
def test_hold_out_cuts_unpublished_data_into_shares_of_all(
    division: Divide, test_share: float, expected: tuple[int, ...]
) -> None:
    divided = division({"train": 20}, official=False, split="hold_out", validation_share=0.15, test_share=test_share)
    assert counts(divided) == expected
    assert everyone(divided) == names({"train": 20})["train"]


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [(2000, 150, (1505, 645)), (2594, 100, (1886, 808))],
    ids=["ISIC 2017", "ISIC 2018"],
)
def test_seven_three_has_the_sizes_of_the_papers_and_leaves_the_published_test_out(
    division: Divide, train: int, validation: int, expected: tuple[int, int]
) -> None:
    divided = division(
        {"train": train, "validation": validation, "test": 600}, split="seven_three", validation_share=0.1
    )
    in_training, in_validation, in_test = counts(divided)
    assert (in_training + in_validation, in_test) == expected
    assert in_validation == round(0.1 * (train + validation))
    assert not any(id_.startswith("x") for id_ in everyone(divided))


@pytest.mark.parametrize(("official", "like"), [(True, "official"), (False, "hold_out")])
def test_auto_keeps_published_parts_and_cuts_others(division: Divide, official: bool, like: str) -> None:
    given = PUBLISHED if official else {"train": 20}
    auto, named = (division(given, official=official, split=rule) for rule in ("auto", like))
    assert auto["parts"] == named["parts"]


def test_official_parts_that_were_never_published_are_refused(division: Divide) -> None:
    with pytest.raises(InputError, match="no published subsets; allowed: hold_out, auto"):
        division({"train": 20}, official=False, split="official")


@pytest.mark.parametrize("split", ["official", "hold_out", "seven_three", "auto"])
def test_every_rule_makes_disjoint_sorted_parts(division: Divide, split: str) -> None:
    divided = division(split=split)
    assert len(everyone(divided)) == len(set(everyone(divided)))
    assert all(members == sorted(members) for members in divided["parts"].values())
    assert divided == division(split=split)


@pytest.mark.parametrize("split", ["hold_out", "seven_three", "auto"])
def test_no_cut_separates_pictures_of_one_lesion(division: Divide, split: str) -> None:
    lesions = [{"t00", "t09", "t13"}, {"t01", "t02"}, {"t03", "t11", "t17"}, {"t05", "t18"}, {"t06", "t19"}]
    for seed in range(8):
        divided = division({"train": 20}, official=False, lesions=lesions, split=split, split_seed=seed)
        for lesion in lesions:
            assert sum(bool(lesion & set(members)) for members in divided["parts"].values()) == 1
        assert divided["how"]["known_leaks"] == []


# Folds


@pytest.mark.parametrize(
    ("split", "official", "given", "test"),
    [
        ("official", True, PUBLISHED, 5),
        ("official", True, {"train": 20, "test": 5}, 5),
        ("hold_out", True, PUBLISHED, 5),
        ("hold_out", False, {"train": 20}, 4),
        ("seven_three", True, PUBLISHED, 6),
        ("auto", True, PUBLISHED, 5),
    ],
)
def test_folds_go_over_everything_but_one_and_the_same_test(
    division: Divide, split: str, official: bool, given: dict[str, int], test: int
) -> None:
    made = [division(given, official=official, split=split, fold=fold, folds=4, test_share=0.2) for fold in range(4)]
    tests = {tuple(divided["parts"]["test"]) for divided in made}
    assert [len(members) for members in tests] == [test]
    validated = sorted(chain(*(divided["parts"]["validation"] for divided in made)))
    pool = sorted(set(everyone(made[0])) - set(*tests))
    assert validated == pool
    for divided in made:
        assert sorted(divided["parts"]["train"] + divided["parts"]["validation"]) == pool
        assert len(divided["parts"]["validation"]) == pytest.approx(len(pool) / 4, abs=1)


def test_more_folds_than_lesions_are_refused(division: Divide) -> None:
    with pytest.raises(InputError, match="cannot make 9 folds"):
        division({"train": 4}, official=False, split="hold_out", test_share=0, fold=0, folds=9)


# Manifests


def test_a_manifest_is_law(division: Divide, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    parts = {"train": ["x00", "t03"], "validation": ["t01"], "test": ["v00"]}
    path.write_text(json.dumps({"parts": parts}))
    divided = division(split=str(path), split_seed=5, validation_share=0.5)
    assert divided["parts"] == {"train": ["t03", "x00"], "validation": ["t01"], "test": ["v00"]}
    assert divided["how"]["split"] == str(path)
    assert "fold" not in divided["how"]


@pytest.mark.parametrize("settings", [{"split": "hold_out"}, {"split": "auto", "fold": 2}, {"split": "seven_three"}])
def test_what_a_run_wrote_gives_the_same_parts_and_hash_again(
    division: Divide, tmp_path: Path, settings: dict[str, Any]
) -> None:
    first = division(**settings)
    path = tmp_path / "split.json"
    path.write_text(json.dumps(first, indent=2))
    again = division(split=str(path), split_seed=9)
    assert again["parts"] == first["parts"]
    assert again["sha256"] == first["sha256"]


# Leaks

LESIONS = [{"t00", "v01"}, {"t02", "t03", "x00"}, {"v02", "x01"}, {"t05", "v03", "x02"}, {"t07", "t08"}]
"""All but the last are in several of the published parts."""


def test_leaks_are_the_lesions_in_several_parts_with_every_image_of_them() -> None:
    facts: Any = SimpleNamespace(ids=["a", "b", "c", "d", "e", "f"], groups=[0, 1, 0, 2, 1, 0])
    parts: Any = {"train": ["a", "b", "e"], "validation": ["c", "d"], "test": []}  # f is in no part
    assert find_leaks(parts, facts) == [{"a": "train", "c": "validation"}]


def test_refused_leaks_are_all_listed_with_their_parts_and_both_remedies(division: Divide) -> None:
    with pytest.raises(InputError) as error:
        division(split="official", lesions=LESIONS, leaks="refuse")
    message = str(error.value)
    for line in (
        "t00 (train), v01 (validation)",
        "t02 (train), t03 (train), x00 (test)",
        "v02 (validation), x01 (test)",
        "t05 (train), v03 (validation), x02 (test)",
    ):
        assert f"- {line}\n" in message + "\n"
    assert "t07" not in message
    assert "data.leaks=drop" in message
    assert "data.leaks=allow" in message


def test_dropping_takes_the_earlier_parts_images_out_and_records_them(division: Divide) -> None:
    divided = division(split="official", lesions=LESIONS, leaks="drop")
    dropped = ["t00", "t02", "t03", "t05", "v02", "v03"]
    assert divided["how"]["dropped"] == dropped
    assert divided["parts"] == {
        part: [id_ for id_ in members if id_ not in dropped] for part, members in names(PUBLISHED).items()
    }
    assert division(split="official", lesions=LESIONS[-1:], leaks="drop")["how"]["dropped"] == []


def test_allowed_leaks_stay_and_are_warned_of_and_recorded(division: Divide, caplog: pytest.LogCaptureFixture) -> None:
    divided = division(split="official", lesions=LESIONS, leaks="allow")
    assert divided["parts"] == names(PUBLISHED)
    assert divided["how"]["dropped"] == []
    assert len(divided["how"]["known_leaks"]) == 4
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "4 lesions are in several subsets" in caplog.text


def test_where_leaks_are_not_checked_there_are_none_to_refuse(division: Divide) -> None:
    divided = division(split="official", lesions=LESIONS, leaks="refuse", check_leaks=False)
    assert divided["parts"] == names(PUBLISHED)
    assert "known_leaks" not in divided["how"]


@pytest.mark.parametrize("leaks", ["refuse", "drop"])
def test_a_manifest_that_leaks_is_refused_and_not_changed(division: Divide, tmp_path: Path, leaks: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"parts": names(PUBLISHED)}))
    with pytest.raises(InputError) as error:
        division(split=str(path), lesions=LESIONS, leaks=leaks)
    assert "t00 (train), v01 (validation)" in str(error.value)
    assert "data.leaks=allow" in str(error.value)
    assert f"data.leaks=drop changes no manifest: take the images out of {path}" in str(error.value)
    allowed = division(split=str(path), lesions=LESIONS, leaks="allow")
    assert allowed["parts"] == names(PUBLISHED)


def test_a_manifest_written_after_dropping_leaks_no_more(division: Divide, tmp_path: Path) -> None:
    first = division(split="official", lesions=LESIONS, leaks="drop")
    path = tmp_path / "split.json"
    path.write_text(json.dumps(first))
    assert division(split=str(path), lesions=LESIONS, leaks="refuse")["sha256"] == first["sha256"]


@pytest.mark.parametrize(
    ("settings", "how"),
    [
        ({"split": "official"}, {"split": "official", "fold": None, "folds": 5}),
        ({"split": "auto", "split_seed": 4}, {"split": "auto", "split_seed": 4}),
        ({"split": "hold_out", "fold": 1, "folds": 3}, {"fold": 1, "folds": 3}),
        (
            {"split": "official", "lesions": [{"t00", "v01"}], "leaks": "drop"},
            {"leaks": "drop", "known_leaks": [["t00 (train)", "v01 (validation)"]], "dropped": ["t00"]},
        ),
    ],
)
def test_how_it_came_about_is_written_down_in_plain_values(
    division: Divide, settings: dict[str, Any], how: dict[str, Any]
) -> None:
    written = division(**settings)
    assert written["how"] | how == written["how"]
    assert json.loads(json.dumps(written)) == written


# On a disk, with pictures


def divided_folder(source: Any, folder: Path) -> dict[str, Any]:
    listing = source.listing().checked()
    samples = listing.samples()
    return make_split(source, listing, Facts(samples, open_cache("disk", samples, 48, folder)), check_leaks=True)


@pytest.fixture
def leaking(tmp_path: Path, draw_pairs: Any) -> Path:
    """Folders as parts; `v` is `b` again, and `y` is `a`'s patient by the table."""
    draw_pairs(tmp_path / "data" / "train", {"a": 0, "b": 1, "c": 2, "d": 3})
    draw_pairs(tmp_path / "data" / "validation", {"u": 4, "v": 1})
    draw_pairs(tmp_path / "data" / "test", {"x": 5, "y": 6})
    (tmp_path / "data" / "patients.csv").write_text("image_id,lesion_id\na,p1\nb,p2\ny,p1\n")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("groups", "kept"), [(None, ["a", "c", "d"]), ("patients.csv", ["c", "d"])], ids=["pictures", "patients"]
)
def test_pictures_and_metadata_show_leaks(
    folder_source: Any, leaking: Path, tmp_path: Path, groups: str | None, kept: list[str]
) -> None:
    with pytest.raises(InputError, match=r"b \(train\), v \(validation\)") as error:
        divided_folder(folder_source(leaking, groups=groups), tmp_path / "cache")
    assert ("a (train), y (test)" in str(error.value)) == (groups is not None)
    divided = divided_folder(folder_source(leaking, groups=groups, leaks="drop"), tmp_path / "cache")
    assert divided["parts"] == {"train": kept, "validation": ["u", "v"], "test": ["x", "y"]}


def test_an_archives_images_are_leaks_between_sources_whatever_their_pixels(
    folder_source: Any, draw_pairs: Any, source_settings: dict[str, Any], tmp_path: Path
) -> None:
    """As the challenges of 2017 and 2018, which share images of other sizes and crops."""
    newer = draw_pairs(tmp_path / "newer", {"ISIC_0000001": 0, "ISIC_0000002": 1, "003": 2, "ISIC_0000004": 3})
    older = draw_pairs(tmp_path / "older", {"ISIC_0000001": 4, "ISIC_0000002": 5, "003": 6})

    def source(leaks: str) -> Combined:
        train, test = {"newer": folder_source(newer)}, {"older": folder_source(older)}
        settings = source_settings | {"leaks": leaks, "validation_share": 0.4, "split_seed": 0}
        return Combined(**settings, train=train, test=test)

    with pytest.raises(InputError) as error:
        divided_folder(source("refuse"), tmp_path / "cache")
    leaks = str(error.value).splitlines()[1:]
    assert [line.partition(" (")[0] for line in leaks] == ["  - newer/ISIC_0000001", "  - newer/ISIC_0000002"]
    assert all(line.endswith(f"older/{line[-19:-7]} (test)") for line in leaks)
    parts = divided_folder(source("drop"), tmp_path / "cache")["parts"]
    assert sorted(parts["train"] + parts["validation"]) == ["newer/003", "newer/ISIC_0000004"]
    assert parts["test"] == ["older/003", "older/ISIC_0000001", "older/ISIC_0000002"]


def test_a_cut_of_a_folder_keeps_copies_and_patients_together(
    folder_source: Any, draw_pairs: Any, tmp_path: Path
) -> None:
    root = draw_pairs(tmp_path / "data", {f"{number:02d}": number % 9 for number in range(12)})  # 9 is 0 again
    (root / "patients.csv").write_text("image_id,lesion_id\n03,p\n07,p\n08,p\n")
    for seed in range(4):
        source = folder_source(root, groups="patients.csv", split_seed=seed, validation_share=0.3, test_share=0.2)
        divided = divided_folder(source, tmp_path / "cache")
        for lesion in ({"00", "09"}, {"01", "10"}, {"02", "11"}, {"03", "07", "08"}):
            assert sum(lesion <= set(members) for members in divided["parts"].values()) == 1


def test_hold_out_cuts_a_test_part_where_the_published_ones_lack_it(division: Divide) -> None:
    divided = division(
        {"train": 60, "validation": 40, "test": 0}, split="hold_out", validation_share=0.2, test_share=0.3
    )
    assert counts(divided) == (50, 20, 30)


def test_a_validation_share_that_the_test_part_leaves_no_room_for_is_refused(division: Divide) -> None:
    with pytest.raises(InputError, match=r"validation_share is 0\.7, but the test subset leaves only 70 of 100 images"):
        division({"train": 100, "validation": 0, "test": 0}, split="seven_three", validation_share=0.7, test_share=0.1)


@pytest.mark.parametrize("split", ["auto", "hold_out", "seven_three"])
@pytest.mark.parametrize("images", [1, 2, 4])
def test_too_few_lesions_for_three_parts_are_refused_with_their_number(
    division: Divide, images: int, split: str
) -> None:
    """The number is not the one that a part already cut off has left."""
    same = [{f"t{number:02d}" for number in range(1, images)}] if images > 1 else []
    with pytest.raises(InputError, match=rf"^{images} images of {min(images, 2)} lesions are too few for training, "):
        division({"train": images}, official=False, split=split, lesions=same)


def test_two_lesions_do_without_a_test(division: Divide) -> None:
    assert counts(division({"train": 2}, official=False, split="hold_out", test_share=0)) == (1, 1, 0)


@pytest.fixture
def copies(tmp_path: Path, draw_pairs: Any) -> list[FilePair]:
    """Six pictures, of which `e` is `b` again."""
    root = draw_pairs(tmp_path / "data", {"a": 0, "b": 1, "c": 2, "d": 3, "e": 1, "f": 4})
    return list(pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs)


def facts_of(samples: Sequence[Sample], folder: Path, name: CacheName = "disk") -> Facts:
    return Facts(samples, open_cache(name, samples, 48, folder))


def together(found: Facts) -> set[frozenset[str]]:
    """The ids of each group of more than one."""
    members: dict[int, set[str]] = {}
    for id_, label in zip(found.ids, found.groups, strict=True):
        members.setdefault(label, set()).add(id_)
    return {frozenset(group) for group in members.values() if len(group) > 1}


@pytest.mark.parametrize("cache", ["disk", "memory", "none"])
def test_copies_are_duplicates_and_a_group_whatever_the_cache(
    copies: list[FilePair], tmp_path: Path, cache: CacheName
) -> None:
    found = facts_of(copies, tmp_path, cache)
    assert found.duplicates == [(1, 4, 1.0, True)]
    assert together(found) == {frozenset("be")}


def test_what_the_metadata_say_and_what_is_a_copy_are_joined(copies: list[FilePair], tmp_path: Path) -> None:
    """`a` and `b` are one patient's, `b` and `e` one picture, `c` and `f` another patient's; `d` is alone."""
    patients = {"a": "p1", "b": "p1", "c": "p2", "f": "p2", "d": "p3"}
    named = [replace(pair, group=patients.get(pair.id)) for pair in copies]
    assert together(facts_of(named, tmp_path)) == {frozenset("abe"), frozenset("cf")}


def test_an_archives_image_is_one_in_all_sources_whatever_its_pixels(copies: list[FilePair], tmp_path: Path) -> None:
    """`a` and `c` are one image, cropped otherwise, say; `d` and `f` have one name, but no archive's."""
    names = {"a": "isic2017/ISIC_0000001", "c": "isic2018/ISIC_0000001", "d": "mine/001", "f": "yours/001"}
    renamed = [replace(pair, id=names.get(pair.id, pair.id)) for pair in copies]
    assert together(facts_of(renamed, tmp_path)) == {frozenset("be"), frozenset({names["a"], names["c"]})}


def test_lesion_sizes_are_the_shares_of_the_truths_own_pixels(copies: list[FilePair], tmp_path: Path) -> None:
    shares = [float((np.asarray(Image.open(pair.mask_path)) > 128).mean()) for pair in copies]
    assert facts_of(copies, tmp_path).lesion_sizes == pytest.approx(shares, abs=1e-12)


def test_other_runs_do_not_compare_again_where_the_cache_is_a_disk(
    copies: list[FilePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = facts_of(copies, tmp_path).duplicates
    monkeypatch.setattr(lesionseg.data.split, "find_duplicates", lambda *_: pytest.fail("compared again"))
    again = facts_of(copies, tmp_path).duplicates
    assert again == first
    assert again[0].likeness == 1.0


def test_nothing_is_read_before_it_is_asked_for(copies: list[FilePair], tmp_path: Path) -> None:
    for pair in copies:
        pair.image_path.write_bytes(b"no image")
    assert facts_of(copies, tmp_path).ids == ["a", "b", "c", "d", "e", "f"]


def test_drawn_samples_are_known_to_differ_and_not_compared(synthetic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PixelCache, "remember", lambda *_: pytest.fail("compared"))
    samples = synthetic(train=4).samples("train")
    found = Facts(samples, PixelCache(samples, 32))
    assert found.duplicates == []
    assert sorted(set(found.groups)) == [0, 1, 2, 3]


@pytest.fixture
def root(tmp_path: Path, draw_pairs: Any) -> Path:
    return draw_pairs(tmp_path / "data", {f"{number:02d}": number for number in range(12)}, size=40)


@pytest.fixture
def split(root: Path, folder_source: Any) -> dict[str, Any]:
    """As a training writes it."""
    source = folder_source(root, cache="memory", validation_share=0.25, test_share=0.25)
    module = LesionDataModule(source, image_size=32, batch_size=1, num_workers=0, seed=0, augment=None)
    return json.loads(json.dumps(module.split))


def overwrite(root: Path, old: str, new: str) -> None:
    """Puts one pair in another one's place, as a slip of a copy does."""
    for kind in ("images", "masks"):
        shutil.copy2(root / kind / f"{new}.png", root / kind / f"{old}.png")


def test_the_images_of_the_split_are_found_again(root: Path, split: dict[str, Any], folder_source: Any) -> None:
    for part in ("train", "validation", "test"):
        assert [sample.id for sample in own_samples(folder_source(root), part, split)] == split["parts"][part]
    assert len(own_samples(folder_source(root), "all", split)) == 12


def test_a_test_pair_that_a_training_pair_overwrote_is_not_scored(
    root: Path, split: dict[str, Any], folder_source: Any
) -> None:
    test, train = split["parts"]["test"][0], split["parts"]["train"][0]
    overwrite(root, test, train)
    for part in ("test", "all"):
        with pytest.raises(InputError, match=rf"1 of .* other files than the checkpoint.*\n  - {test} \(image and"):
            own_samples(folder_source(root), part, split)
    assert len(own_samples(folder_source(root), "train", split)) == len(split["parts"]["train"])


def test_a_mask_drawn_anew_is_told_from_the_old_one(root: Path, split: dict[str, Any], folder_source: Any) -> None:
    test, other = split["parts"]["test"][:2]
    shutil.copy2(root / "masks" / f"{other}.png", root / "masks" / f"{test}.png")
    with pytest.raises(InputError, match=rf"{test} \(mask\)"):
        own_samples(folder_source(root), "test", split)


def test_a_split_of_an_earlier_version_names_no_files(root: Path, split: dict[str, Any], folder_source: Any) -> None:
    overwrite(root, split["parts"]["test"][0], split["parts"]["train"][0])
    del split["files"]
    assert len(own_samples(folder_source(root), "test", split)) == 3


@pytest.mark.parametrize("key", ["files", None])
def test_a_manifest_is_held_to_its_files_for_other_data_too(
    root: Path, split: dict[str, Any], folder_source: Any, tmp_path: Path, key: str | None
) -> None:
    """As `data=folder data.split=split.json`; without the key, which may be taken out, the files are as they are."""
    overwrite(root, split["parts"]["test"][0], split["parts"]["train"][0])
    (tmp_path / "split.json").write_text(json.dumps({name: split[name] for name in split if key or name != "files"}))
    source = folder_source(root, split=str(tmp_path / "split.json"))
    assert len(other_samples(source, "train", 32)) == 6
    if key is None:
        assert len(other_samples(source, "test", 32)) == 3
    else:
        with pytest.raises(InputError, match=r"data\.split=.*split\.json was made with.*take `files` out of it"):
            other_samples(source, "test", 32)


def test_ids_of_a_split_are_found_however_their_accents_are_written(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Callable[..., Folder]
) -> None:
    source = folder_source(draw_pairs(tmp_path, {"l\u00e9sion": 0}))
    (sample,) = own_samples(source, "train", {"parts": {"train": ["le\u0301sion"]}})
    assert sample.mask_path == tmp_path / "masks" / "l\u00e9sion.png"  # type: ignore[attr-defined]
