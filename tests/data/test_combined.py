"""Several sources as one: whose images are trained on, whose are tested on, and under which names."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.data.combined import Combined
from lesionseg.data.source import FilePair, Listing, PairingFault, Source, Subset
from lesionseg.errors import InputError

Compose = Callable[[Sequence[str]], DictConfig]

COMMON: dict[str, Any] = {
    str(name): value
    for file in ("reading", "splitting")
    for name, value in OmegaConf.load(CONF / "data" / "common" / f"{file}.yaml").items()  # type: ignore[union-attr]
}


@dataclass(frozen=True, kw_only=True)
class Given(Source):
    """A source of no files: ids, in groups of their own, where they are said to be."""

    train: str = ""
    validation: str = ""
    test: str = ""
    faults: tuple[PairingFault, ...] = ()
    ungrouped: str = ""
    lesion: str | None = None
    missing: bool = False

    def require(self) -> None:
        if self.missing:
            raise InputError("the files of Given are not there")

    def listing(self) -> Listing:
        parts: dict[Subset, str] = {"train": self.train, "validation": self.validation, "test": self.test}
        samples = {part: [self._sample(id_) for id_ in ids.split()] for part, ids in parts.items()}
        official = bool(self.validation or self.test)
        return Listing(samples, official=official, faults=self.faults, ungrouped=self.ungrouped.split())

    def _sample(self, id_: str) -> FilePair:
        group = "lesion" if id_.endswith("+") else self.lesion
        return FilePair(id_, Path(f"{id_}.jpg"), Path(f"{id_}.png"), group=group)


def given(**changes: Any) -> Given:
    return Given(**(COMMON | changes))


def combined(train: Mapping[str, Source | None], test: Mapping[str, Source | None], **changes: Any) -> Combined:
    return Combined(**(COMMON | changes), train=train, test=test)


def test_training_sources_give_training_and_validation_and_their_tests_are_left_out() -> None:
    source = combined({"one": given(train="a b", validation="c", test="d"), "two": given(train="a e")}, {})
    assert source.listing().ids() == {
        "train": ["one/a", "one/b", "two/a", "two/e"],
        "validation": ["one/c"],
        "test": [],
    }


def test_test_sources_give_every_image_to_the_test_part() -> None:
    source = combined({"one": given(train="a")}, {"two": given(train="z b", validation="c", test="d")})
    assert source.listing().ids() == {
        "train": ["one/a"],
        "validation": [],
        "test": ["two/b", "two/c", "two/d", "two/z"],
    }


def test_a_source_may_be_trained_and_tested_on_under_one_name_only_once() -> None:
    """The same images on both sides are the same ids, which the listing's own check finds."""
    both = given(train="a b")
    with pytest.raises(InputError, match=r"The subsets overlap.*\n  - one/a is in train and in test"):
        combined({"one": both}, {"one": both}).samples("train")


def test_samples_keep_their_files_under_the_new_id() -> None:
    (sample,) = combined({"mine": given(train="ISIC_1")}, {}).samples("train")
    assert sample.id == "mine/ISIC_1"
    assert sample.files == (Path("ISIC_1.jpg"), Path("ISIC_1.png"))


def test_groups_of_different_sources_are_never_mixed_up() -> None:
    source = combined({"one": given(train="a+ b"), "two": given(train="c+")}, {"three": given(train="d+")})
    assert {sample.id: sample.group for sample in source.listing().samples()} == {
        "one/a+": "one/lesion",
        "one/b": None,
        "two/c+": "two/lesion",
        "three/d+": "three/lesion",
    }


def test_an_archives_lesions_are_the_same_in_every_source() -> None:
    source = combined({"one": given(train="a", lesion="ham_0000118")}, {"two": given(test="b", lesion="HAM_0000118")})
    assert {sample.group for sample in source.listing().samples()} == {"HAM_0000118"}


def test_the_split_is_official_so_that_validation_is_kept_where_it_was_published() -> None:
    assert combined({"one": given(train="a b")}, {}).listing().official


def test_faults_of_every_source_are_kept() -> None:
    fault = PairingFault("image_without_mask", "x", Path("x.jpg"), "x.jpg has no mask")
    other = PairingFault("mask_without_image", "y", Path("y.png"), "y.png has no image")
    source = combined({"one": given(train="a", faults=(fault,))}, {"two": given(train="b", faults=(other,))})
    assert list(source.listing().faults) == [fault, other]
    with pytest.raises(InputError, match=r"x\.jpg has no mask\n.*y\.png has no image"):
        source.samples("train")


def test_images_that_a_sources_table_lacks_are_listed_but_for_parts_that_are_left_out() -> None:
    source = combined({"one": given(train="a b", test="c", ungrouped="b c")}, {"two": given(train="b", ungrouped="b")})
    assert source.listing().ungrouped == ["one/b", "two/b"]


@pytest.mark.parametrize("use", ["train", "test"])
def test_a_source_set_to_null_is_left_out(use: str) -> None:
    sources: dict[str, dict[str, Source | None]] = {"train": {"one": given(train="a")}, "test": {}}
    sources[use]["none"] = None
    source = combined(**sources)
    source.require()
    assert source.listing().ids() == {"train": ["one/a"], "validation": [], "test": []}


@pytest.mark.parametrize("train", [{}, {"one": None}])
def test_without_a_training_source_there_is_nothing_to_do(train: Mapping[str, None]) -> None:
    with pytest.raises(InputError, match=r"data\.train names no source; give at least one, for example"):
        combined(train, {"two": given(train="b")})


@pytest.mark.parametrize("use", ["train", "test"])
@pytest.mark.parametrize("setting", [{"fold": 0}, {"split": "split.json"}])
def test_a_fold_or_manifest_below_would_be_without_effect_and_is_refused(use: str, setting: dict[str, Any]) -> None:
    sources: dict[str, dict[str, Source | None]] = {"train": {"one": given(train="a")}, "test": {}}
    sources[use]["cut"] = given(train="b", **setting)
    with pytest.raises(InputError, match=rf"data\.{use}\.cut has its own fold or manifest.*give data\.fold or"):
        combined(**sources)


def test_a_fold_or_manifest_of_all_together_is_what_to_give() -> None:
    assert combined({"one": given(train="a b")}, {}, fold=1).fold == 1
    assert combined({"one": given(train="a b")}, {}, split="split.json").split == "split.json"


@pytest.mark.parametrize("use", ["train", "test"])
def test_files_of_every_source_are_required(use: str) -> None:
    sources: dict[str, dict[str, Source | None]] = {"train": {"one": given(train="a")}, "test": {}}
    sources[use]["gone"] = given(missing=True)
    with pytest.raises(InputError, match="the files of Given are not there"):
        combined(**sources).require()


def test_combined_sources_may_be_combined() -> None:
    inner = combined({"one": given(train="a", test="b")}, {"two": given(train="c")})
    assert combined({"inner": inner}, {"three": given(train="d")}).listing().ids() == {
        "train": ["inner/one/a"],
        "validation": [],
        "test": ["three/d"],
    }


# From the command line


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    for stem in ("a", "b"):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(tmp_path / kind / f"{stem}.png")
    return tmp_path


def test_a_source_can_be_added_and_others_taken_out(compose: Compose, mine: Path) -> None:
    """As the comment in conf/data/combined.yaml says."""
    overrides = ["data=combined", "+data@data.train.mine=folder", "data.train.isic2017=null", "data.test.ph2=null"]
    source = build("data", compose([*overrides, f"data.train.mine.root={mine}"]).data)
    source.require()
    assert source.listing().ids() == {"train": ["mine/a", "mine/b"], "validation": [], "test": []}


def test_by_default_ph2_tests_what_isic_2017_trains(compose: Compose) -> None:
    source = build("data", compose(["data=combined"]).data)
    names = {
        use: {name: type(part).__name__ for name, part in getattr(source, use).items()} for use in ("train", "test")
    }
    assert names == {"train": {"isic2017": "Isic2017"}, "test": {"ph2": "Ph2"}}


def test_every_field_but_the_sources_is_a_setting_of_every_source() -> None:
    """So that nothing of it is without effect below."""
    assert {field.name for field in dataclasses.fields(Combined)} - {"train", "test"} == set(COMMON)
