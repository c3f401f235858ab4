"""The U-Net: every option works, counts its parameters as a hand does, and refuses numbers out of range."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from lesionseg.model.blocks import Gate, InvertedBlock
from lesionseg.model.unet import UNet

OPTIONS: dict[str, Any] = {
    "base_channels": 4,
    "max_channels": 512,
    "decoder_max_channels": 512,
    "depth": 2,
    "blocks_per_stage": 1,
    "block": "plain",
    "kernel_size": 5,
    "expansion": 2,
    "skip": "concatenate",
    "colour_constancy": False,
    "normalisation": "batch",
    "activation": "relu",
    "upsampling": "bilinear",
    "context": False,
    "stem_stride": 1,
    "dropout": 0.0,
    "activation_checkpointing": False,
}
LATER = {"kernel_size", "expansion", "skip", "colour_constancy"}
"""Options that early checkpoints do not have."""
CHOICES = {
    "block": ["plain", "residual", "inverted"],
    "kernel_size": [3, 7],
    "expansion": [1, 4],
    "skip": ["concatenate", "add", "gated"],
    "normalisation": ["batch", "group", "instance", "none"],
    "activation": ["relu", "leaky_relu", "gelu", "silu"],
    "upsampling": ["bilinear", "nearest", "transposed"],
    "context": [False, True],
    "colour_constancy": [False, True],
    "decoder_max_channels": [1, 5],
    "stem_stride": [1, 2, 4],
    "depth": [1, 2, 3, 4],
    "blocks_per_stage": [1, 3],
    "dropout": [0.0, 0.5],
}


def unet(**changes: Any) -> UNet:
    return UNet(**(OPTIONS | changes))


def every_choice() -> list[dict[str, Any]]:
    """Each option in turn, with plain and with residual blocks, and a stem with each way to sample up."""
    pairs = [(name, value) for name, values in CHOICES.items() for value in values]
    choices = [{"block": block, name: value} for name, value in pairs for block in CHOICES["block"]]
    stems = [(stem, upsampling) for stem in (2, 4) for upsampling in CHOICES["upsampling"]]
    return choices + [{"stem_stride": stem, "upsampling": upsampling} for stem, upsampling in stems]


@pytest.mark.parametrize("choice", every_choice(), ids=lambda choice: "-".join(map(str, choice.values())))
def test_every_option_gives_a_logit_a_pixel_and_a_gradient_to_every_parameter(choice: dict[str, Any]) -> None:
    network = unet(**choice)
    logits = network(torch.randn(2, 3, network.stride * 2, network.stride * 3))
    assert logits.shape == (2, 1, network.stride * 2, network.stride * 3)
    logits.square().mean().backward()
    without = [
        name for name, value in network.named_parameters() if value.grad is None or not value.grad.isfinite().all()
    ]
    assert without == []
    assert sum(value.grad.abs().sum() for value in network.parameters() if value.grad is not None) > 0


@pytest.mark.parametrize(("depth", "stem_stride", "stride"), [(1, 1, 2), (4, 1, 16), (3, 4, 32), (2, 2, 8)])
def test_the_stride_is_the_stems_times_a_halving_for_each_level(depth: int, stem_stride: int, stride: int) -> None:
    assert unet(depth=depth, stem_stride=stem_stride).stride == stride


def test_a_plain_network_has_the_parameters_counted_by_hand() -> None:
    """base 4, depth 1: 3x3 convolutions without bias, batch normalisation with scale and offset for each channel."""
    stage_1 = (3 * 4 * 9 + 2 * 4) + (4 * 4 * 9 + 2 * 4)
    bottleneck = (4 * 8 * 9 + 2 * 8) + (8 * 8 * 9 + 2 * 8)
    narrowing = 8 * 4  # 1x1 without bias
    decoder = ((4 + 4) * 4 * 9 + 2 * 4) + (4 * 4 * 9 + 2 * 4)
    head = 4 * 1 + 1
    assert stage_1 + bottleneck + narrowing + decoder + head == 1649
    assert sum(parameter.numel() for parameter in unet(depth=1).parameters()) == 1649


def test_a_residual_network_with_stem_has_the_parameters_counted_by_hand() -> None:
    """base 4, depth 1, stride 4, transposed: the stem is 3 -> 2 -> 4 channels; shortcuts are 1x1 without bias."""
    stem = (3 * 2 * 9 + 2 * 2) + (2 * 4 * 9 + 2 * 4)
    stage_1 = 2 * (4 * 4 * 9 + 2 * 4)  # 4 -> 4 channels: the shortcut is free
    bottleneck = (4 * 8 * 9 + 2 * 8) + (8 * 8 * 9 + 2 * 8) + 4 * 8
    upsampling = 8 * 4 * 4 + 4  # 2x2 with bias
    decoder = (8 * 4 * 9 + 2 * 4) + (4 * 4 * 9 + 2 * 4) + 8 * 4
    head = 4 * 1 + 1
    network = unet(depth=1, stem_stride=4, block="residual", upsampling="transposed")
    assert sum(parameter.numel() for parameter in network.parameters()) == (
        stem + stage_1 + bottleneck + upsampling + decoder + head
    )


def test_an_inverted_network_has_the_parameters_counted_by_hand() -> None:
    """base 4, depth 1, kernel 5, expansion 3: where the width changes, a pointwise convolution fits it first."""

    def block(before: int, after: int) -> int:
        fit = before * after + 2 * after if before != after else 0
        depthwise = after * 25 + 2 * after
        wide = after * 3 * after + 3 * after  # with bias
        return fit + depthwise + wide + 3 * after * after + 2 * after

    counted = block(3, 4) + block(4, 8) + 8 * 4 + block(8, 4) + 5
    network = unet(depth=1, block="inverted", kernel_size=5, expansion=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == counted


@pytest.mark.parametrize("skip", ["concatenate", "add", "gated"])
def test_every_kind_of_skip_hands_on_what_the_encoder_saw(skip: str) -> None:
    """Without a way through the bottleneck, the image still reaches the logits."""
    network = unet(depth=1, skip=skip)
    nn.init.zeros_(network.upsample[0][0].weight)  # type: ignore[index, arg-type]
    image = torch.randn(1, 3, 8, 8, requires_grad=True)
    network(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_added_skips_take_half_the_input_of_concatenated_ones() -> None:
    """base 4, depth 1: the decoder's first convolution reads 4 + 4 channels, or 4."""
    first = {skip: unet(depth=1, skip=skip).decoder[0][0][0][0] for skip in ("concatenate", "add")}  # type: ignore[index]
    assert (first["concatenate"].in_channels, first["add"].in_channels) == (8, 4)


def test_a_closed_gate_lets_nothing_of_the_skip_through() -> None:
    gate = Gate(4, 6)
    nn.init.constant_(gate.attention[1].bias, -100.0)  # type: ignore[arg-type]
    features, skip = torch.randn(2, 4, 5, 5), torch.randn(2, 6, 5, 5)
    joined = gate(features, skip)
    assert torch.equal(joined[:, :4], features)
    assert joined[:, 4:].abs().max() < 1e-20


def test_no_stage_is_wider_than_max_channels() -> None:
    network = unet(depth=4, max_channels=10)
    widths = [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert max(widths) == 10


def test_no_decoder_stage_is_wider_than_its_own_limit() -> None:
    network = unet(depth=3, decoder_max_channels=6)
    widths = [layer.out_channels for layer in network.decoder.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [6, 6, 6, 6, 4, 4]  # two convolutions a stage; the encoder's are 16, 8 and 4 wide
    assert max(layer.out_channels for layer in network.encoder.modules() if isinstance(layer, nn.Conv2d)) == 16


@pytest.mark.parametrize("normalisation", ["batch", "group", "instance"])
def test_residual_blocks_start_as_their_shortcuts(normalisation: str) -> None:
    """The last scale of each is 0 (Goyal et al., 2017), so that a deep network starts as a shallow one."""
    blocks = [
        layer for layer in unet(block="residual", normalisation=normalisation).modules() if hasattr(layer, "shortcut")
    ]
    assert len(blocks) == 5
    for block in blocks:
        features = torch.randn(2, block.first[0].in_channels, 8, 8)  # type: ignore[arg-type]
        torch.testing.assert_close(block(features), block.shortcut(features).relu())


@pytest.mark.parametrize("normalisation", ["batch", "group", "instance"])
def test_inverted_blocks_start_as_their_shortcuts(normalisation: str) -> None:
    network = unet(block="inverted", normalisation=normalisation)
    blocks = [layer for layer in network.modules() if isinstance(layer, InvertedBlock)]
    assert len(blocks) == 5
    for block in blocks:
        first = next(layer for layer in block.modules() if isinstance(layer, nn.Conv2d))
        features = torch.randn(2, first.in_channels, 8, 8)
        torch.testing.assert_close(block(features), block.fit(features))


def test_a_checkpoint_from_before_an_option_describes_the_same_network() -> None:
    older = {name: value for name, value in OPTIONS.items() if name not in LATER}
    assert list(UNet(**older).state_dict()) == list(unet().state_dict())


def test_context_lets_a_far_corner_be_seen() -> None:
    """Depth 1 sees some ten pixels; with context, each output depends on every pixel."""
    for context in (False, True):
        network = unet(depth=1, context=context, normalisation="none", activation="gelu")
        image = torch.randn(1, 3, 96, 96, requires_grad=True)
        network(image)[0, 0, 0, 0].backward()
        assert image.grad is not None
        assert bool((image.grad[..., -8:, -8:] != 0).any()) == context


def test_activation_checkpointing_gives_the_same_loss_and_gradients() -> None:
    kept = unet(block="residual", blocks_per_stage=2)
    recomputed = copy.deepcopy(kept)
    recomputed.activation_checkpointing = True
    image = torch.randn(2, 3, 16, 16)
    losses = []
    for network in (kept, recomputed):
        loss = network(image).sigmoid().mean()
        loss.backward()
        losses.append(loss)
    assert torch.equal(*losses)
    for one, other in zip(kept.parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-7)


def test_activation_checkpointing_keeps_fewer_activations() -> None:
    def saved_bytes(network: UNet) -> int:
        sizes: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            network(torch.randn(1, 3, 32, 32))
        return sum(sizes.values())

    assert saved_bytes(unet(activation_checkpointing=True)) < 0.7 * saved_bytes(unet())


def test_the_first_probability_is_about_the_share_of_lesion_in_skin() -> None:
    """A fifth of the pixels (ISIC 2017 training: 19.4 %)."""
    network = unet()
    nn.init.zeros_(network.head.weight)
    assert network(torch.randn(1, 3, 16, 16)).sigmoid().mean().item() == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("size", [(30, 32), (32, 30), (33, 33)])
def test_a_size_that_is_no_multiple_of_the_stride_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"{size[0]} x {size[1]} pixels; this U-Net takes multiples of 4"):
        unet()(torch.randn(1, 3, *size))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("base_channels", 0, "1 to 512"),
        ("base_channels", 513, "1 to 512"),
        ("max_channels", 3, "4 to 4096"),
        ("decoder_max_channels", 0, "1 to 4096"),
        ("depth", 0, "1 to 7"),
        ("depth", 8, "1 to 7"),
        ("blocks_per_stage", 0, "1 to 8"),
        ("blocks_per_stage", 9, "1 to 8"),
        ("stem_stride", 3, "1, 2, 4"),
        ("kernel_size", 1, "3 to 31"),
        ("kernel_size", 33, "3 to 31"),
        ("kernel_size", 4, "odd"),
        ("expansion", 0, "1 to 8"),
        ("expansion", 9, "1 to 8"),
        ("dropout", -0.1, "0 "),
        ("dropout", 1.0, "below 1"),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, value: float, allowed: str) -> None:
    with pytest.raises(ValueError, match=rf"model\.{name} is {value}; allowed: .*{allowed}"):
        unet(**{name: value})


@pytest.mark.parametrize("name", ["block", "skip", "normalisation", "activation", "upsampling"])
def test_an_unknown_choice_is_refused(name: str) -> None:
    with pytest.raises((ValueError, KeyError, NotImplementedError), match="splendid"):
        unet(**{name: "splendid"})(torch.randn(1, 3, 16, 16))


def test_dropout_acts_in_training_only() -> None:
    network = unet(dropout=0.5)
    image = torch.randn(1, 3, 16, 16)
    network.eval()
    assert torch.equal(network(image), network(image))
    network.train()
    assert not torch.equal(network(image), network(image))
