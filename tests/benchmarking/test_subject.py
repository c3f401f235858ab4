from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from lesionseg.benchmarking.subject import build_subject, subject_settings
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
