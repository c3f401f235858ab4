"""Weights that are handed over are all that a model needs, and nothing that could harm."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

import lesionseg
from lesionseg.checkpoint.layout import descriptors_of, temperature_of
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.checkpoint.safetensors import _checksum, write_safetensors
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError
from lesionseg.training.testing import open_tested

Contents = dict[str, Any]


@pytest.fixture(scope="module")
def checkpoint(smoke_run: Path) -> Path:
    return smoke_run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def weights(smoke_run: Path) -> Path:
    """What the training has written beside its best checkpoint."""
    return smoke_run / "checkpoints" / "best.safetensors"


def test_a_training_leaves_the_checkpoints_model_with_its_fitted_post_processing(
    checkpoint: Path, weights: Path
) -> None:
    expected, found = read(checkpoint), read(weights)
    one, other = segmenter_of(expected), segmenter_of(found)
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert one.postprocessing == other.postprocessing
    assert temperature_of(found) == temperature_of(expected) != 1
    for name in ("config", "split", "code", "libraries", "metrics", "decision"):
        assert found["lesionseg"][name] == expected["lesionseg"][name]
    assert (found["epoch"], found["global_step"]) == (expected["epoch"], expected["global_step"])
    assert not found.keys() & {"optimizer_states", "callbacks", "loops"}
    assert weights.stat().st_size < checkpoint.stat().st_size


def test_it_predicts_tests_and_knows_its_data_as_the_checkpoint_does(checkpoint: Path, weights: Path) -> None:
    photograph, _ = draw_dermoscopy(7, 100)
    one, other = (lesionseg.load(path, device="cpu", precision="fp32") for path in (checkpoint, weights))
    np.testing.assert_array_equal(one.probability(photograph), other.probability(photograph))
    first, second = (open_tested(path, accelerator="cpu", postprocessing="stored") for path in (checkpoint, weights))
    assert (first.name, first.trained_on, first.is_fitted) == (second.name, second.trained_on, second.is_fitted)
    assert second.own_data()[0].listing().ids() == first.own_data()[0].listing().ids()


def test_others_read_it_without_lesionseg(weights: Path) -> None:
    with safe_open(weights, "pt") as file:
        contents = json.loads(file.metadata()["lesionseg"])
    assert contents["lesionseg"]["config"]["name"] == "smoke"
    assert contents["lesionseg"]["decision"]["settings"]["threshold"] > 0
    assert "segmenter.network.head.weight" in load_file(weights)


def test_the_descriptors_of_the_images_come_along(checkpoint: Path, tmp_path: Path) -> None:
    contents = read(checkpoint)
    values = torch.arange(2 * 11 * 48).reshape(2, 11, 48).to(torch.int8)
    contents["lesionseg"]["descriptors"] = {"ids": ["a", "b"], "values": values}
    write_safetensors(contents, tmp_path / "a.safetensors")
    found = descriptors_of(read(tmp_path / "a.safetensors"))
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], values[1].numpy())


def test_half_precision_channels_last_and_shared_tensors_are_written(checkpoint: Path, tmp_path: Path) -> None:
    contents = read(checkpoint)
    head = contents["state_dict"]["segmenter.network.head.weight"]
    contents["state_dict"]["segmenter.network.head.weight"] = head.to(torch.bfloat16, memory_format=torch.channels_last)
    contents["state_dict"]["segmenter.std"] = contents["state_dict"]["segmenter.mean"]
    write_safetensors(contents, tmp_path / "a.safetensors")
    segmenter = segmenter_of(read(tmp_path / "a.safetensors"))
    assert torch.equal(segmenter.state_dict()["network.head.weight"], head.to(torch.bfloat16).float())
    assert torch.equal(segmenter.std, segmenter.mean)


def test_a_failed_write_leaves_the_previous_file_whole(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"before")

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_safetensors(read(checkpoint), path)
    assert path.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["best.safetensors"]


# Files that a stranger may send


def rewritten(path: Path, source: Path, spoil: Callable[[Contents, dict[str, torch.Tensor]], object]) -> Path:
    """A file with other contents and a checksum that fits them."""
    with safe_open(source, "pt") as file:
        contents = json.loads(file.metadata()["lesionseg"])
    tensors = load_file(source)
    spoil(contents, tensors)
    text = json.dumps(contents)
    path.write_bytes(save(tensors, {"lesionseg": text, "crc32": _checksum(text, tensors)}))
    return path


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


HEAD = "segmenter.network.head.weight"
SPOILT: dict[str, tuple[str, Callable[[Contents, dict[str, torch.Tensor]], object]]] = {
    "no record": ("not a lesionseg checkpoint", lambda contents, _: contents.pop("lesionseg")),
    "a later format": ("not a lesionseg checkpoint", lambda contents, _: contents["lesionseg"].update(format=2)),
    "an absurd size": ("image_size", lambda contents, _: contents["lesionseg"]["config"].update(image_size=10**15)),
    "a truth for a number": ("image_size", lambda contents, _: contents["lesionseg"]["config"].update(image_size=True)),
    "no configuration": ("config", lambda contents, _: contents["lesionseg"].pop("config")),
    "no split": ("split", lambda contents, _: contents["lesionseg"].pop("split")),
    "a wrong epoch": ("epoch", lambda contents, _: contents.update(epoch=-1)),
    "a number of 70 bits": ("64 bits", lambda contents, _: contents["lesionseg"]["config"].update(a=2**70)),
    "lists in lists": ("64 containers", lambda contents, _: contents["lesionseg"]["config"].update(a=nested(100))),
    "descriptors in words": ("descriptors", lambda contents, _: contents["lesionseg"].update(descriptors={"ids": []})),
    "another class": ("asks for", lambda contents, _: contents["lesionseg"]["config"]["model"].update(_target_="os.x")),
    "a larger network": ("do not fit", lambda contents, _: contents["lesionseg"]["config"]["model"].update(depth=5)),
    "a weight missing": ("is missing", lambda _, tensors: tensors.pop(HEAD)),
    "a weight too many": ("is not of the model", lambda _, tensors: tensors.update({"segmenter.a": torch.ones(1)})),
    "a wider weight": ("the model takes", lambda _, tensors: tensors.update({HEAD: torch.ones(1, 4000, 1, 1)})),
    "a weight of integers": ("the model takes", lambda _, tensors: tensors.update({HEAD: tensors[HEAD].long()})),
    "a weight that is no number": ("not finite", lambda _, tensors: tensors[HEAD].view(-1)[:1].fill_(float("nan"))),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_contents_pass_the_checks_of_a_checkpoint(fault: str, weights: Path, tmp_path: Path) -> None:
    message, spoil = SPOILT[fault]
    with pytest.raises(InputError, match=message):
        segmenter_of(read(rewritten(tmp_path / "hostile.safetensors", weights, spoil)))


def test_without_a_fault_the_rewritten_file_opens(weights: Path, tmp_path: Path) -> None:
    """Without this, the test above would pass for any file."""
    found = read(rewritten(tmp_path / "same.safetensors", weights, lambda *_: None))
    assert segmenter_of(found).postprocessing == segmenter_of(read(weights)).postprocessing
    assert source_of(found).listing().ids() == source_of(read(weights)).listing().ids()


def with_text(text: str) -> bytes:
    tensors = {"a": torch.ones(1)}
    return save(tensors, {"lesionseg": text, "crc32": _checksum(text, tensors)})


def with_header(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


OTHERS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "seven bytes": lambda: bytes(7),
    "a header without end": lambda: struct.pack("<Q", 2**63) + b"{",
    "a header longer than the file": lambda: struct.pack("<Q", 2**25) + b"{}",
    "a header of noise": lambda: with_header(random.Random(0).randbytes(200)),
    "a header of brackets": lambda: with_header(b"[" * 2**20),
    "a tensor beyond the file": lambda: with_header(
        b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}', bytes(4)
    ),
    "a tensor of absurd shape": lambda: with_header(
        b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}', bytes(4)
    ),
    "tensors in one place": lambda: with_header(
        b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "no metadata": lambda: save({"a": torch.ones(1)}),
    "other metadata": lambda: save({"a": torch.ones(1)}, {"format": "pt"}),
    "no checksum": lambda: save({"a": torch.ones(1)}, {"lesionseg": "{}"}),
    "a text that is no JSON": lambda: with_text("os.system('true')"),
    "a list for a text": lambda: with_text("[]"),
    "a number of a million digits": lambda: with_text("1" * 10**6),
    "a text of brackets": lambda: with_text("[" * 10**6),
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS.keys())
def test_files_of_other_kinds_are_refused(tmp_path: Path, content: Callable[[], bytes]) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content())
    with pytest.raises(InputError, match=r"other\.safetensors: cannot be opened: ") as caught:
        read(path)
    assert len(str(caught.value)) < 1000


def test_a_checkpoint_of_that_name_is_refused_and_so_is_the_reverse(
    checkpoint: Path, weights: Path, tmp_path: Path
) -> None:
    for source, suffix in ((checkpoint, ".safetensors"), (weights, ".ckpt")):
        (tmp_path / f"model{suffix}").write_bytes(source.read_bytes())
        with pytest.raises(InputError, match="cannot be opened"):
            read(tmp_path / f"model{suffix}")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9999])
def test_a_file_cut_off_anywhere_is_refused(weights: Path, tmp_path: Path, share: float) -> None:
    content = weights.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut\.safetensors: cannot be opened: safetensors refuses it"):
        read(tmp_path / "cut.safetensors")


def test_a_flipped_bit_is_refused_wherever_it_is(weights: Path, tmp_path: Path) -> None:
    content, dice, path = weights.read_bytes(), random.Random(0), tmp_path / "flipped.safetensors"
    for _ in range(60):
        spoilt = bytearray(content)
        spoilt[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(spoilt)
        with pytest.raises(InputError, match=r"flipped\.safetensors: cannot be opened"):
            read(path)
