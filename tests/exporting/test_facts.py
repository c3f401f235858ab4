import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionseg.checkpoint.layout import temperature_of
from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError
from lesionseg.exporting.deployed import collect_facts
from lesionseg.exporting.facts import EmbeddedFacts, parse_facts
from lesionseg.postprocessing.postprocessing import Postprocessing

HERE = Path("model.onnx")


@pytest.fixture(scope="module")
def facts(smoke_run: Path) -> EmbeddedFacts:
    path = smoke_run / "checkpoints" / "best.ckpt"
    postprocessing = Postprocessing(threshold=0.4, views="flips", largest_component=True)
    return collect_facts(
        read(path),
        path,
        postprocessing=postprocessing,
        precision="fp32",
        licence="CC-BY-4.0 © us",
        intended_use="tests",
    )


def test_it_says_which_checkpoint_it_was(facts: EmbeddedFacts, smoke_run: Path) -> None:
    path = smoke_run / "checkpoints" / "best.ckpt"
    assert facts.checkpoint_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts.name, facts.image_size, facts.threshold, facts.classes) == ("smoke", 64, 0.4, ["lesion"])


def test_it_names_training_images_by_digests_alone(facts: EmbeddedFacts, smoke_run: Path) -> None:
    path = smoke_run / "checkpoints" / "best.ckpt"
    names = [id_.rpartition("/")[2] for id_ in read(path)["lesionseg"]["split"]["parts"]["train"]]
    assert facts.trained_on == sorted(hashlib.sha256(name.encode()).hexdigest()[:12] for name in names)
    assert not any(name in facts.model_dump_json() for name in names)


def test_the_text_for_people_has_one_hash_in_place_of_all_digests(facts: EmbeddedFacts) -> None:
    assert not any(digest in facts.text() for digest in facts.trained_on)
    joined = "".join(facts.trained_on)
    assert facts.trained_on_sha256 == hashlib.sha256(joined.encode()).hexdigest()
    assert facts.trained_on_images == len(facts.trained_on) == 16  # as experiment=smoke trains on
    assert parse_facts(facts.text(), HERE, digests=joined) == facts


def test_without_its_digests_a_file_opens_and_knows_no_training_image(facts: EmbeddedFacts) -> None:
    assert parse_facts(facts.text(), HERE).trained_on == []


@pytest.mark.parametrize("change", [lambda text: text[12:], lambda text: text[:-1], lambda text: "x" * len(text)])
def test_other_digests_than_the_files_own_are_refused(facts: EmbeddedFacts, change: Callable[[str], str]) -> None:
    with pytest.raises(InputError, match=r"model.onnx: 'lesionseg_trained_on' is not the list of its training images"):
        parse_facts(facts.text(), HERE, digests=change(facts.digests()))


def test_a_file_from_before_digests_stood_apart_keeps_them(facts: EmbeddedFacts) -> None:
    text = facts.model_dump_json(exclude={"trained_on_images", "trained_on_sha256"})
    assert parse_facts(text, HERE).trained_on == facts.trained_on


def test_the_values_of_the_mask_are_said(facts: EmbeddedFacts) -> None:
    assert "1 where the probability is above the threshold, else 0" in facts.outputs
    assert "lesionseg.predict writes 255 in place of 1" in facts.outputs


def test_it_comes_back_from_its_text(facts: EmbeddedFacts) -> None:
    assert parse_facts(facts.model_dump_json(), HERE) == facts


def test_the_decision_comes_back(facts: EmbeddedFacts) -> None:
    postprocessing = parse_facts(facts.model_dump_json(), HERE).model_facts("0" * 64).postprocessing
    assert postprocessing == Postprocessing(threshold=0.4, views="flips", largest_component=True, fill_holes=False)


def test_the_temperature_comes_along_and_older_files_have_none(facts: EmbeddedFacts, smoke_run: Path) -> None:
    assert facts.temperature == temperature_of(read(smoke_run / "checkpoints" / "best.ckpt")) != 1
    text = facts.model_dump_json(exclude={"temperature"})
    assert parse_facts(text, HERE).model_facts("0" * 64).temperature == 1


def test_a_file_from_before_there_were_views_and_regions_opens_without_them(facts: EmbeddedFacts) -> None:
    text = facts.model_dump_json(exclude={"views", "largest_component", "fill_holes"})
    assert parse_facts(text, HERE).model_facts("0" * 64).postprocessing == Postprocessing(threshold=0.4)


def test_what_a_later_version_adds_is_ignored(facts: EmbeddedFacts) -> None:
    text = facts.model_dump_json().replace("{", '{"invented_later": [1, 2], ', 1)
    assert parse_facts(text, HERE) == facts


@pytest.mark.parametrize(
    ("found", "given", "named"),
    [
        ('"format":1', '"format":2', "format"),
        ('"image_size":64', '"image_size":1000000000000', "image_size"),
        ('"image_size":64', '"image_size":16', "image_size"),
        ('"image_size":64', '"image_size":64.5', "image_size"),
        ('"image_size":64', '"image_size":"64"', "image_size"),
        ('"threshold":0.4', '"threshold":NaN', "threshold"),
        ('"threshold":0.4', '"threshold":1.0', "threshold"),
        ('"threshold":0.4', '"threshold":-0.1', "threshold"),
        ('"threshold":0.4', '"threshold":1e999', "threshold"),
        ('"classes":["lesion"]', '"classes":["lesion","hair"]', "classes"),
        ('"name":"smoke"', '"name":["smoke"]', "name"),
        ('"views":"flips"', '"views":"all"', "views"),
        ('"largest_component":true', '"largest_component":1', "largest_component"),
        ('"fill_holes":false', '"fill_holes":"no"', "fill_holes"),
        ('"precision":"fp32"', '"precision":"fp64"', "precision"),
        ('"trained_on":["', '"trained_on":["../', "trained_on"),
    ],
)
def test_a_wrong_value_is_named(facts: EmbeddedFacts, found: str, given: str, named: str) -> None:
    text = facts.model_dump_json()
    assert found in text
    with pytest.raises(InputError, match=rf"model.onnx: .*{named}.*export the checkpoint again"):
        parse_facts(text.replace(found, given), HERE)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "[" * 100_000, '"lesionseg"'])
def test_a_text_of_another_kind_is_refused(text: str | None) -> None:
    with pytest.raises(InputError, match=r"model\.onnx"):
        parse_facts(text, HERE)


def test_a_text_without_end_is_refused_unread(facts: EmbeddedFacts) -> None:
    with pytest.raises(InputError, match="characters; allowed"):
        parse_facts(facts.model_dump_json() + " " * 2**25, HERE)
