import json
import os
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from lesionseg.checkpoint.layout import segmenter_state, temperature_of
from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO, store_postprocessing
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import build_named, segmenter_of, source_of
from lesionseg.data.combined import Combined
from lesionseg.data.source import Source
from lesionseg.data.synthetic import Synthetic
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing


def saved(path: Path, checkpoint: dict[str, Any]) -> Path:
    torch.save(checkpoint, path)
    return path


@pytest.fixture
def checkpoint(smoke_run: Path) -> dict[str, Any]:
    return read(smoke_run / "checkpoints" / "best.ckpt")


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_it_holds_what_a_stranger_needs(checkpoint: dict[str, Any]) -> None:
    contents = checkpoint["lesionseg"]
    assert contents["config"]["model"]["_target_"] == "lesionseg.model.unet.UNet"
    assert contents["config"]["segmenter"]["threshold"] == 0.5
    assert len(contents["split"]["sha256"]) == 64
    assert set(contents["split"]["parts"]) == {"train", "validation", "test"}
    assert contents["code"]["version"]
    assert contents["libraries"]["torch"] == torch.__version__
    assert 0 <= contents["metrics"]["val/dice"] <= 1


def test_the_segmenter_is_rebuilt_from_the_file_alone(checkpoint: dict[str, Any]) -> None:
    segmenter = segmenter_of(checkpoint)
    assert isinstance(segmenter, Segmenter)
    assert not segmenter.training
    stored = checkpoint["state_dict"]["segmenter.network.head.weight"]
    assert torch.equal(segmenter.state_dict()["network.head.weight"], stored)


def test_the_segmenter_is_the_one_that_loading_the_weights_the_usual_way_gives(checkpoint: dict[str, Any]) -> None:
    config = checkpoint["lesionseg"]["config"]
    network = build_named(config["model"], nn.Module, "lesionseg.model")
    usual = Segmenter(network, **config["segmenter"]).eval()
    usual.load_state_dict(segmenter_state(checkpoint))
    rebuilt = segmenter_of(checkpoint)
    image = torch.randint(256, (1, 3, 45, 67), dtype=torch.uint8)
    assert torch.equal(rebuilt(image), usual(image))
    for mine, theirs in zip(rebuilt.parameters(), usual.parameters(), strict=True):
        assert (mine.dtype, mine.stride(), mine.requires_grad) == (theirs.dtype, theirs.stride(), theirs.requires_grad)


def test_no_tensor_of_the_segmenter_is_left_without_memory_or_in_the_file(checkpoint: dict[str, Any]) -> None:
    stored = {tensor.untyped_storage().data_ptr() for tensor in checkpoint["state_dict"].values()}
    segmenter = segmenter_of(checkpoint)
    for tensor in (*segmenter.parameters(), *segmenter.buffers()):
        assert not tensor.is_meta
        assert tensor.untyped_storage().data_ptr() not in stored


class Computed(nn.Module):
    """A network with a buffer that it computes and does not store."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.stride = 1
        self.head = nn.Conv2d(3, 1, 1)
        self.register_buffer("ramp", torch.arange(width), persistent=False)


def test_buffers_that_are_not_stored_are_computed(checkpoint: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("lesionseg.model.computed")
    monkeypatch.setattr(Computed, "__module__", module.__name__)
    module.Computed = Computed  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings = checkpoint["lesionseg"]["config"]["segmenter"]
    state = Segmenter(Computed(width=3), **settings).state_dict()
    checkpoint["state_dict"] = {f"segmenter.{name}": tensor for name, tensor in state.items()}
    checkpoint["lesionseg"]["config"]["model"] = {"_target_": "lesionseg.model.computed.Computed", "width": 3}
    assert torch.equal(segmenter_of(checkpoint).network.ramp, torch.arange(3))


def test_the_source_is_rebuilt_from_the_file_alone(checkpoint: dict[str, Any]) -> None:
    source = source_of(checkpoint)
    assert isinstance(source, Synthetic)
    assert [sample.id for sample in source.samples("test")] == checkpoint["lesionseg"]["split"]["parts"]["test"]


def test_the_average_is_what_is_kept(checkpoint: dict[str, Any]) -> None:
    name = "segmenter.network.head.weight"
    assert not torch.equal(checkpoint["state_dict"][name], checkpoint["current_model_state"][name])


DECISION: dict[str, Any] = {"threshold": 0.35, "views": "turns", "largest_component": True, "fill_holes": False}


@pytest.fixture
def decided(smoke_run: Path, tmp_path: Path) -> Path:
    """A checkpoint with a fitted decision."""
    path = tmp_path / "decided.ckpt"
    path.write_bytes((smoke_run / "checkpoints" / "last.ckpt").read_bytes())
    store_postprocessing(path, {"settings": DECISION, "images": 8, "trials": [{"option": "views", "kept": True}]})
    return path


def test_a_fitted_decision_comes_back(decided: Path) -> None:
    checkpoint = read(decided)
    assert segmenter_of(checkpoint).postprocessing == Postprocessing(**DECISION)
    assert segmenter_of(checkpoint, plain=True).postprocessing == Postprocessing(threshold=0.5)
    assert checkpoint["lesionseg"]["decision"]["trials"] == [{"option": "views", "kept": True}]


def test_all_else_stays_as_it_was_when_a_decision_is_stored(decided: Path, smoke_run: Path) -> None:
    before, after = read(smoke_run / "checkpoints" / "last.ckpt"), read(decided)
    assert after["lesionseg"].pop("decision") != before["lesionseg"].pop("decision")
    assert before.keys() == after.keys()
    assert same(after, before)
    assert [path.name for path in decided.parent.iterdir()] == ["decided.ckpt"]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_a_checkpoint_from_before_there_were_decisions_opens(smoke_run: Path, tmp_path: Path) -> None:
    old = read(smoke_run / "checkpoints" / "best.ckpt")
    del old["lesionseg"]["decision"], old["lesionseg"]["config"]["postprocessing"]
    for name in ("views", "largest_component", "fill_holes"):
        del old["lesionseg"]["config"]["segmenter"][name]
    old["lesionseg"]["config"]["segmenter"]["threshold"] = 0.4
    assert segmenter_of(read(saved(tmp_path / "old.ckpt", old))).postprocessing == Postprocessing(threshold=0.4)
    assert temperature_of(old) == 1


def test_a_decision_from_before_there_were_temperatures_opens(decided: Path) -> None:
    assert temperature_of(read(decided)) == 1


def test_the_temperature_that_a_training_fitted_comes_back(smoke_run: Path) -> None:
    fitted = json.loads((smoke_run / "decision.json").read_text())["temperature"]
    assert temperature_of(read(smoke_run / "checkpoints" / "best.ckpt")) == fitted != 1


@pytest.mark.parametrize(
    "postprocessing",
    [
        5,
        {},
        [DECISION],
        {"settings": DECISION},
        {"settings": None, "images": 8},
        {"settings": DECISION, "images": -1},
        *({"settings": DECISION, "images": 8, "temperature": wrong} for wrong in (0.0, float("nan"), "2", None, 1e9)),
        {"settings": DECISION, "images": 8, "trials": torch.zeros(1)},
        *(
            {"settings": DECISION | wrong, "images": 8}
            for wrong in (
                {"threshold": 1.0},
                {"threshold": float("nan")},
                {"threshold": "0.5"},
                {"threshold": True},
                {"views": "all"},
                {"views": ["flips"]},
                {"largest_component": 1},
                {"fill_holes": "true"},
                {"network": "lesionseg.model.unet.UNet"},
                {"colour": "red"},
            )
        ),
        *({"settings": {n: v for n, v in DECISION.items() if n != name}, "images": 8} for name in DECISION),
    ],
    ids=repr,
)
def test_a_hostile_decision_is_refused_with_one_message(
    checkpoint: dict[str, Any], tmp_path: Path, postprocessing: Any
) -> None:
    checkpoint["lesionseg"]["decision"] = postprocessing
    path = saved(tmp_path / "hostile.ckpt", checkpoint)
    with pytest.raises(InputError, match=r"decision|Postprocessing"):
        segmenter_of(read(path))


def test_code_in_the_file_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = saved(tmp_path / "evil.ckpt", {"lesionseg": Payload(marker)})
    with pytest.raises(InputError, match=r"evil\.ckpt"):
        read(path)
    assert not marker.exists()


def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(InputError):
        read(path)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0, 10, 1000, -1])
def test_a_cut_file_is_refused(tmp_path: Path, smoke_run: Path, kept: int) -> None:
    path = tmp_path / "cut.ckpt"
    path.write_bytes((smoke_run / "checkpoints" / "best.ckpt").read_bytes()[:kept])
    with pytest.raises(InputError, match=r"cut\.ckpt"):
        read(path)


@pytest.mark.parametrize("contents", [{"state_dict": {}}, {"lesionseg": {"format": 99}}, [1, 2], {"lesionseg": 3}])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, contents: Any) -> None:
    with pytest.raises(InputError, match="not a lesionseg checkpoint"):
        read(saved(tmp_path / "other.ckpt", contents))


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.Popen",
        "torch.nn.Linear",
        "lesionseg.model.unet.torch",
        "lesionseg.model.unet.Tensor",
        "lesionseg.model.segmenter.nn.Module",
        "lesionseg.model.segmenter.Network",
        "lesionseg.model.unet.pairwise",
        "lesionseg.checkpoint.reading.sys.exit",
        "lesionseg.model..unet.UNet",
        "lesionseg.model.nothing.UNet",
        "lesionseg.data.folder.Folder",
        "",
    ],
)
def test_only_networks_of_lesionseg_are_built(checkpoint: dict[str, Any], target: str) -> None:
    checkpoint["lesionseg"]["config"]["model"]["_target_"] = target
    with pytest.raises(InputError, match="asks for"):
        segmenter_of(checkpoint)


@pytest.mark.parametrize(
    "setting",
    [
        {"base_channels": {"_target_": "os.system", "command": "true"}},
        {"_args_": [1]},
        {"base_channels": 10**9},
        {"base_channels": "${oc.env:HOME}"},
        {"colour": "red"},
        {"depth": 6},
    ],
)
def test_other_settings_than_it_was_trained_with_are_refused(
    checkpoint: dict[str, Any], setting: dict[str, Any]
) -> None:
    checkpoint["lesionseg"]["config"]["model"].update(setting)
    with pytest.raises(InputError):
        segmenter_of(checkpoint)


def test_an_abstract_class_is_refused() -> None:
    with pytest.raises(InputError):
        build_named({"_target_": "lesionseg.data.source.Source"}, Source, "lesionseg.data")  # type: ignore[type-abstract]


@pytest.fixture
def drawn(source_settings: dict[str, Any]) -> dict[str, Any]:
    """A source as a checkpoint stores it."""
    sizes = {"seed": 0, "size": 32, "train": 2, "validation": 1, "test": 1}
    return {"_target_": "lesionseg.data.synthetic.Synthetic"} | source_settings | {"cache": "none"} | sizes


@pytest.fixture
def both(source_settings: dict[str, Any], drawn: dict[str, Any]) -> dict[str, Any]:
    """Two sources as one, with Hydra's own word among the settings."""
    sources = {"train": {"one": drawn, "none": None}, "test": {"two": drawn}}
    return {"_target_": "lesionseg.data.combined.Combined", "_convert_": "all"} | source_settings | sources


def stored(data: Any) -> dict[str, Any]:
    """What `source_of` reads of a checkpoint."""
    return {"lesionseg": {"config": {"data": data}}}


def test_combined_sources_are_rebuilt_with_all_that_they_combine(both: dict[str, Any]) -> None:
    source = source_of(stored(both))
    assert isinstance(source, Combined)
    assert source.listing().ids() == {
        "train": ["one/train_0000", "one/train_0001"],
        "validation": ["one/validation_0000"],
        "test": ["two/test_0000", "two/train_0000", "two/train_0001", "two/validation_0000"],
    }


def test_combined_sources_within_combined_ones_are_rebuilt(both: dict[str, Any]) -> None:
    source = source_of(stored(both | {"train": {"inner": both}}))
    assert source.listing().ids()["train"] == ["inner/one/train_0000", "inner/one/train_0001"]


HOSTILE = (
    "os.system",
    "subprocess.check_call",
    "lesionseg.data.combined.os.system",
    "lesionseg.checkpoint.reading.os.system",
)


@pytest.mark.parametrize("target", [*HOSTILE, "lesionseg.model.unet.UNet", "lesionseg.data.source.Source", ""])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_only_sources_of_lesionseg_are_built_at_any_depth(
    tmp_path: Path, both: dict[str, Any], target: str, depth: int
) -> None:
    marker = tmp_path / "ran"
    node: dict[str, Any] = {"_target_": target, "command": f"touch {marker}"}
    for _ in range(depth):
        node = both | {"train": {"one": node}}
    with pytest.raises(InputError, match="the file asks for"):
        source_of(stored(node))
    assert not marker.exists()


@pytest.mark.parametrize("use", ["train", "test"])
@pytest.mark.parametrize("place", ["the group itself", "a setting", "in a list"])
def test_a_hostile_target_in_another_place_is_refused_and_not_run(
    tmp_path: Path, both: dict[str, Any], drawn: dict[str, Any], use: str, place: str
) -> None:
    marker = tmp_path / "ran"
    hostile = {"_target_": "os.system", "command": f"touch {marker}"}
    values = {"the group itself": hostile, "a setting": {"one": drawn | {"seed": hostile}}, "in a list": [hostile]}
    with pytest.raises(InputError):
        source_of(stored(both | {use: values[place]}))
    assert not marker.exists()


@pytest.mark.parametrize("child", ["os.system", 5, True, ["a"], [], {}, 0, ""], ids=repr)
def test_what_is_no_source_is_not_combined(both: dict[str, Any], child: Any) -> None:
    with pytest.raises(InputError):
        source_of(stored(both | {"train": {"one": child}}))


@pytest.mark.parametrize("group", ["os.system", 5, None, ["a"]], ids=repr)
def test_sources_are_combined_by_name_or_not_at_all(both: dict[str, Any], group: Any) -> None:
    with pytest.raises(InputError):
        source_of(stored(both | {"train": group}))


@pytest.mark.parametrize("setting", [{"_args_": [1]}, {"_partial_": True}, {"colour": "red"}, {"train": 0}])
def test_settings_that_a_combined_source_does_not_have_are_refused(
    both: dict[str, Any], drawn: dict[str, Any], setting: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        source_of(stored(drawn | setting))
    with pytest.raises(InputError):
        source_of(stored(both | {"train": {"one": drawn | setting}}))


def test_parts_of_another_kind_are_no_plain_values(drawn: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="nested settings; allowed: plain values"):
        build_named(drawn | {"seed": {"a": 1}}, Source, "lesionseg.data")  # type: ignore[type-abstract]


def test_a_failed_write_leaves_the_previous_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
