"""An ensemble's checkpoint opens, predicts and is exported like any other, and is as hard to misuse."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch

import lesionseg
from lesionseg.checkpoint.layout import temperature_of
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import MOST_MEMBERS, segmenter_of, source_of
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.model.engine import id_digest
from lesionseg.model.ensemble import Ensemble
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.study.ensembling import consensus, write_ensemble
from lesionseg.training.testing import open_tested

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def file(members: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ensemble of three folds; not to be written to."""
    path = tmp_path_factory.mktemp("ensemble") / "ensemble.ckpt"
    write_ensemble(members, path)
    return path


def compose(verb: str, *words: str) -> Any:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose(verb, overrides=list(words))


def test_its_probability_is_the_mean_of_its_members(file: Path, members: list[Path]) -> None:
    image = torch.randint(0, 256, (2, 3, 64, 61), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    with torch.no_grad():
        found = segmenter_of(read(file)).probability(image)
        each = torch.stack([segmenter_of(read(path)).probability(image) for path in members])
    assert each.std(dim=0).max() > 1e-3
    torch.testing.assert_close(found, each.mean(dim=0), rtol=1e-5, atol=1e-6)


def test_its_decision_is_its_members(file: Path, members: list[Path]) -> None:
    assert segmenter_of(read(file)).postprocessing == Postprocessing(
        threshold=0.4, views="none", largest_component=True
    )
    assert (
        segmenter_of(read(file), plain=True).postprocessing == segmenter_of(read(members[0]), plain=True).postprocessing
    )
    assert read(file)["lesionseg"]["decision"]["images"] == 24
    fitted = [temperature_of(read(path)) for path in members]
    assert temperature_of(read(file)) == pytest.approx(np.median(fitted))


def test_it_knows_what_it_was_trained_on_and_keeps_no_such_image_for_validation(
    file: Path, members: list[Path]
) -> None:
    parts = read(file)["lesionseg"]["split"]["parts"]
    trained = {id_ for path in members for id_ in read(path)["lesionseg"]["split"]["parts"]["train"]}
    assert parts["train"] == sorted(trained)
    assert parts["validation"] == []
    assert parts["test"] == sorted(read(members[0])["lesionseg"]["split"]["parts"]["test"])
    model = open_tested(file, accelerator="cpu", postprocessing="stored")
    assert model.trained_on == {id_digest(id_) for id_ in trained}
    assert type(source_of(read(file))).__name__ == "Synthetic"


def test_of_seeds_the_validation_part_stays(smoke_run: Path, tmp_path: Path) -> None:
    best = smoke_run / "checkpoints" / "best.ckpt"
    write_ensemble([best, best], tmp_path / "ensemble.ckpt")
    parts = [read(path)["lesionseg"]["split"]["parts"] for path in (best, tmp_path / "ensemble.ckpt")]
    assert parts[0] == parts[1]


def test_it_says_what_it_is_made_of(file: Path, members: list[Path]) -> None:
    record = read(file)["lesionseg"]
    assert record["config"]["name"] == "smoke ensemble of 3"
    assert [one["fold"] for one in record["ensemble"]] == [0, 1, 2]
    assert [one["file"] for one in record["ensemble"]] == list(map(str, members))


def test_a_photograph_is_outlined_with_it(file: Path, photographs: Path) -> None:
    predictor = lesionseg.load(file, device="cpu")
    mask = predictor.predict(photographs / "images" / "photo 1.jpg")
    assert mask.shape == (97, 61)
    assert predictor.threshold == 0.4


def test_it_is_evaluated_on_its_test_part_and_not_on_what_is_left_of_validation(file: Path, tmp_path: Path) -> None:
    from lesionseg.evaluate import evaluate

    given = [f"checkpoint={file}", f"run_dir={tmp_path}", "trainer=cpu", "evaluation.resamples=100"]
    assert 0 <= evaluate(compose("evaluate", *given))["test/dice"] <= 1
    assert "smoke ensemble of 3" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="part=validation: the data source has no such part"):
        evaluate(compose("evaluate", *given, "part=validation"))


def test_it_is_exported_like_a_single_model(file: Path, tmp_path: Path, photographs: Path) -> None:
    """To OpenVINO, which is by way of ONNX."""
    for module in ("onnxscript", "openvino"):
        pytest.importorskip(module)
    from lesionseg.export import export

    target = tmp_path / "ensemble.xml"
    given = [f"checkpoint={file}", "format=openvino", f"output={target}", "compare_images=2"]
    numbers = export(compose("export", *given))
    assert numbers["largest_difference"] < 1e-4
    photo = photographs / "images" / "photo 1.jpg"
    found = lesionseg.load(target, device="cpu").probability(photo)
    expected = lesionseg.load(file, device="cpu", precision="fp32").probability(photo)
    np.testing.assert_allclose(found, expected, atol=1e-4)


# What does not fit together


def changed(path: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    checkpoint = read(path)
    change(checkpoint)
    torch.save(checkpoint, target)
    return target


def test_members_that_normalise_otherwise_are_refused(members: list[Path], tmp_path: Path) -> None:
    def shift(checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"]["segmenter.mean"] += 1

    other = changed(members[1], tmp_path / "other.ckpt", shift)
    with pytest.raises(InputError, match=r"segmenter\.mean is \[180"):
        write_ensemble([members[0], other], tmp_path / "ensemble.ckpt")
    assert not (tmp_path / "ensemble.ckpt").exists()


def test_members_of_another_image_size_are_refused(members: list[Path], tmp_path: Path) -> None:
    def enlarge(checkpoint: dict[str, Any]) -> None:
        checkpoint["lesionseg"]["config"]["image_size"] = 96

    other = changed(members[1], tmp_path / "other.ckpt", enlarge)
    with pytest.raises(InputError, match=r"image_size is 64 in .* and 96 in"):
        write_ensemble([members[0], other], tmp_path / "ensemble.ckpt")


def test_members_that_knew_other_files_by_one_name_are_refused(members: list[Path], tmp_path: Path) -> None:
    def known(name: str, files: dict[str, str]) -> Path:
        return changed(
            members[0], tmp_path / name, lambda checkpoint: checkpoint["lesionseg"]["split"].update(files=files)
        )

    image = read(members[0])["lesionseg"]["split"]["parts"]["train"][0]
    one, same, other = known("1.ckpt", {image: "1 2"}), known("2.ckpt", {image: "1 2"}), known("3.ckpt", {image: "1 3"})
    with pytest.raises(InputError, match=rf"3\.ckpt: 1 of its images are other files .*: {image}"):
        write_ensemble([one, other], tmp_path / "ensemble.ckpt")
    write_ensemble([one, same], tmp_path / "ensemble.ckpt")
    assert read(tmp_path / "ensemble.ckpt")["lesionseg"]["split"]["files"] == {image: "1 2"}


def test_an_ensemble_is_no_member(file: Path, members: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is an ensemble itself"):
        write_ensemble([file, members[0]], tmp_path / "ensemble.ckpt")


def test_one_is_no_ensemble(members: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 given; allowed: 2 to"):
        write_ensemble(members[:1], tmp_path / "ensemble.ckpt")


def test_a_file_that_is_no_checkpoint_is_named(members: list[Path], tmp_path: Path) -> None:
    (tmp_path / "bad.ckpt").write_bytes(b"no zip file")
    with pytest.raises(InputError, match=r"bad\.ckpt"):
        write_ensemble([members[0], tmp_path / "bad.ckpt"], tmp_path / "ensemble.ckpt")


# What a stranger's file may ask for

ENSEMBLE = f"{Ensemble.__module__}.{Ensemble.__qualname__}"
BLOCK = {"_target_": "lesionseg.model.blocks.PlainBlock", "in_channels": 3, "out_channels": 1}
BLOCK |= {"normalisation": "batch", "activation": "relu"}
HUGE = {"base_channels": 512, "max_channels": 4096, "decoder_max_channels": 4096, "depth": 7, "blocks_per_stage": 8}

HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "os.system": lambda model: model["members"].append({"_target_": "os.system", "command": "true"}),
    "os.system alone": lambda model: model.update(members=[{"_target_": "os.system", "command": "true"}]),
    "re-exported": lambda model: model["members"][0].update(_target_="lesionseg.model.unet.nn.Sequential"),
    "re-exported class": lambda model: model["members"][0].update(_target_="lesionseg.model.unet.ConvolutionUnit"),
    "source for a network": lambda model: model["members"][0].update(_target_="lesionseg.data.synthetic.Synthetic"),
    "segmenter for a network": lambda m: m["members"][0].update(_target_="lesionseg.model.segmenter.Segmenter"),
    "block for a network": lambda model: model["members"].append(BLOCK),
    "ensemble in an ensemble": lambda model: model["members"].append(copy.deepcopy(model)),
    "ensemble of itself": lambda model: model.update(members=[{"_target_": ENSEMBLE, "members": model["members"]}]),
    "members of a U-Net": lambda model: model["members"][0].update(members=copy.deepcopy(model["members"])),
    "U-Net with members": lambda model: model.update(_target_="lesionseg.model.unet.UNet"),
    "target in a member's setting": lambda model: model["members"][0].update(depth={"_target_": "os.system"}),
    "target in a member's list": lambda model: model["members"][0].update(depth=[{"_target_": "os.system"}]),
    "partial member": lambda model: model["members"][0].update(_partial_=True),
    "positional": lambda model: model.update(_args_=[model["members"]]),
    "another list of networks": lambda model: model.update(others=model["members"]),
    "no members": lambda model: model.update(members=[]),
    "members left out": lambda model: model.pop("members"),
    "mapping of members": lambda model: model.update(members=dict(enumerate(model["members"]))),
    "one member": lambda model: model.update(members=model["members"][0]),
    "words for members": lambda model: model.update(members=["lesionseg.model.unet.UNet"]),
    "a word among members": lambda model: model["members"].append("lesionseg.model.unet.UNet"),
    "a list among members": lambda model: model["members"].append(model["members"][:1]),
    "member without a target": lambda model: model["members"][0].pop("_target_"),
    "one member less": lambda model: model["members"].pop(),
    "one member more": lambda model: model["members"].append(copy.deepcopy(model["members"][0])),
    "other depth of one": lambda model: model["members"][1].update(depth=model["members"][1]["depth"] + 1),
    "thousands": lambda model: model.update(members=model["members"][:1] * (MOST_MEMBERS + 1)),
    "largest networks there are": lambda model: [member.update(HUGE) for member in model["members"]],
}


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE.keys())
def test_members_that_no_ensemble_has_are_refused(
    file: Path, tmp_path: Path, spoil: Callable[[dict[str, Any]], object]
) -> None:
    path = changed(file, tmp_path / "hostile.ckpt", lambda one: spoil(one["lesionseg"]["config"]["model"]))
    with pytest.raises(InputError, match=r"the checkpoint's model cannot be rebuilt: |valid string") as caught:
        segmenter_of(read(path))
    assert len(str(caught.value)) < 3000


def test_a_weight_of_one_member_that_is_no_number_is_refused(file: Path, tmp_path: Path) -> None:
    def spoil(checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"]["segmenter.network.members.1.head.weight"].view(-1)[0] = float("nan")

    with pytest.raises(InputError, match=r"members\.1\.head\.weight"):
        segmenter_of(read(changed(file, tmp_path / "nan.ckpt", spoil)))


def test_one_decision_stays_what_it_is() -> None:
    only = Postprocessing(threshold=0.35, views="flips", largest_component=True, fill_holes=True)
    assert consensus([only]) == only


@pytest.mark.parametrize(("thresholds", "median"), [((0.3, 0.6, 0.4), 0.4), ((0.4, 0.5), 0.45), ((0.2, 0.2, 0.9), 0.2)])
def test_the_threshold_is_the_median(thresholds: tuple[float, ...], median: float) -> None:
    assert consensus([Postprocessing(threshold=value) for value in thresholds]).threshold == pytest.approx(median)


def test_what_most_have_is_done() -> None:
    members = [
        Postprocessing(threshold=0.5, views="flips", largest_component=True),
        Postprocessing(threshold=0.5, views="flips", largest_component=True, fill_holes=True),
        Postprocessing(threshold=0.5, views="none"),
    ]
    assert consensus(members) == Postprocessing(threshold=0.5, views="flips", largest_component=True, fill_holes=False)


def test_where_opinions_are_divided_less_is_done() -> None:
    members = [
        Postprocessing(threshold=0.5, views="turns", fill_holes=True),
        Postprocessing(threshold=0.5, views="flips"),
    ]
    assert consensus(members) == Postprocessing(threshold=0.5, views="flips", fill_holes=False)
