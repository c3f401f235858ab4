from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from lesionseg.benchmarking.subject import build_subject, flops_of, parameter_count, subject_settings, try_out
from lesionseg.errors import InputError

Composed = Callable[..., DictConfig]
PEER = "+peers.theirs.network._target_"


def test_the_network_itself_comes_first_and_peers_follow(composed: Composed) -> None:
    own, classic, theirs = subject_settings(
        composed("peers=[classic_unet]", f"{PEER}=torch.nn.Conv2d", "precision=fp32", "+peers.theirs.precision=bf16")
    )
    assert (own.name, own.precision, own.channels_last, own.stride) == ("mine", "fp32", True, None)
    assert (classic.name, classic.precision, classic.channels_last, classic.stride) == (
        "classic_unet",
        "fp32",
        False,
        16,
    )
    assert (theirs.name, theirs.precision, theirs.channels_last, theirs.stride) == ("theirs", "bf16", True, 32)


def test_the_classic_unet_is_of_the_size_that_its_definition_gives() -> None:
    import hydra

    from lesionseg.config.schema import CONF, register_schemas

    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = hydra.compose("benchmark", overrides=["peers=[classic_unet]", "name=x", "run_dir=x", "device=cpu"])
    network = build_subject(subject_settings(cfg)[1]).segmenter.network

    def block(before: int, after: int) -> int:  # two convolutions without bias, each with scale and offset behind it
        return 9 * before * after + 2 * after + 9 * after * after + 2 * after

    widths = [32, 64, 128, 256, 512]
    encoder = sum(block(before, after) for before, after in zip([3, *widths[:-1]], widths, strict=True))
    decoder = sum(4 * 2 * width * width + width + block(2 * width, width) for width in widths[:-1])
    assert sum(parameter.numel() for parameter in network.parameters()) == encoder + decoder + 32 + 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+peers.theirs.precision=fp32"], "peers.theirs.network has no _target_"),
        ([f"{PEER}=torch.nn.Conv2d", "+peers.theirs.presision=fp32"], "there is no key 'presision'"),
        ([f"{PEER}=torch.nn.Conv2d", "+peers.theirs.precision=int4"], "peers.theirs.precision is int4; allowed: auto"),
        ([f"{PEER}=torch.nn.Conv2d", "+peers.theirs.channels_last=perhaps"], "peers.theirs"),
        ([f"{PEER}=torch.nn.Conv2d", "+peers.theirs.stride=0"], "peers.theirs.stride is 0; allowed: at least 1"),
        (["+peers.theirs=7"], "peers.theirs"),
        (["device=tpu"], "device is tpu; allowed"),
    ],
)
def test_a_wrong_setting_is_named(composed: Composed, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        subject_settings(composed(*overrides))
    assert message in str(caught.value)


@pytest.mark.parametrize("channels_last", [True, False])
def test_weights_and_images_lie_as_the_subject_wants_it(pixelwise: Callable[..., Any], channels_last: bool) -> None:
    network = {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 1, "kernel_size": 3, "padding": 1}
    subject = build_subject(pixelwise(channels_last=channels_last, network=network))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    weight = next(subject.segmenter.parameters())
    assert weight.is_contiguous(memory_format=layout)
    assert subject.laid_out(torch.zeros(2, 3, 8, 8)).is_contiguous(memory_format=layout)
    assert not subject.segmenter.training


def test_what_is_no_module_is_refused(pixelwise: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"peers\.pixelwise\.network is a dict; allowed: a torch\.nn\.Module"):
        build_subject(pixelwise(network={"_target_": "builtins.dict"}))


def test_a_network_without_a_stride_is_measured_as_a_peer_only(pixelwise: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"has no stride.*as a peer: \+peers\.mine\.network"):
        build_subject(pixelwise(stride=None))


def test_a_checkpoint_is_measured_with_its_weights(composed: Composed, smoke_run: Any) -> None:
    path = smoke_run / "checkpoints" / "best.ckpt"
    stored = torch.load(path, weights_only=True)["state_dict"]
    subject = build_subject(subject_settings(composed(f"checkpoint={path}"))[0])
    for name, value in subject.segmenter.state_dict().items():
        assert torch.equal(value, stored[f"segmenter.{name}"]), name


NETWORKS = """
import torch

class Several(torch.nn.Module):
    def forward(self, image):
        return [image[:, :1], image[:, :1]]

class Fragile(torch.nn.Module):
    def forward(self, image):
        raise RuntimeError("too small\\nand more")
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "somebodys_networks.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)


def convolution(out_channels: int, stride: int) -> dict[str, Any]:
    settings = {"in_channels": 3, "out_channels": out_channels, "kernel_size": 1, "stride": stride}
    return {"_target_": "torch.nn.Conv2d", **settings}


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    ("network", "found"),
    [
        ({"_target_": "somebodys_networks.Several"}, r"an output \(list\); allowed: a network that maps"),
        (convolution(2, 1), r"for an image \(2, 3, 64, 64\) it gives an output of shape \(2, 2, 64, 64\)"),
        (convolution(1, 2), r"of shape \(2, 1, 32, 32\)"),
        ({"_target_": "somebodys_networks.Fragile"}, r"fails on images of 40 x 40 pixels \(too small\); give another"),
    ],
)
def test_what_gives_no_logits_is_refused(pixelwise: Callable[..., Any], network: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=rf"peers\.pixelwise\.network: .*{found}"):
        try_out(build_subject(pixelwise(network=network)), image_size=40, trains=False)


def test_a_network_that_cannot_learn_is_refused_where_it_has_to(pixelwise: Callable[..., Any]) -> None:
    frozen = build_subject(pixelwise())
    frozen.segmenter.requires_grad_(False)
    try_out(frozen, image_size=40, trains=False)
    with pytest.raises(InputError, match="does not require grad"):
        try_out(frozen, image_size=40, trains=True)


def test_a_trial_leaves_weights_and_mode_as_they_were(pixelwise: Callable[..., Any]) -> None:
    subject = build_subject(pixelwise())
    before = {name: value.clone() for name, value in subject.segmenter.state_dict().items()}
    try_out(subject, image_size=40, trains=True)
    assert all(torch.equal(value, before[name]) for name, value in subject.segmenter.state_dict().items())
    assert not subject.segmenter.training
    assert all(parameter.grad is None for parameter in subject.segmenter.parameters())


def test_parameters_are_those_counted_by_hand() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    assert parameter_count(layers) == (3 * 8 * 9 + 8) + (8 + 8)


def test_a_multiplication_with_its_addition_is_two_operations() -> None:
    convolution = nn.Conv2d(3, 8, 3, padding=1, stride=2)
    assert flops_of(convolution, torch.zeros(2, 3, 16, 20)) == 2 * (2 * 8 * 10) * 8 * 3 * 9


def test_normalisation_and_activation_are_not_counted() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()).eval()
    assert flops_of(layers, torch.zeros(1, 3, 8, 8)) == 2 * 64 * 3 * 4
