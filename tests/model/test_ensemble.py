"""An ensemble is a network like any other, whose probability is the mean of its members'."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from lesionseg.model.ensemble import Ensemble
from lesionseg.model.segmenter import Segmenter
from lesionseg.model.unet import UNet

SIZES = [(32, 32), (33, 47), (97, 50)]
NORMALISATION = {"mean": [180.0, 150.0, 139.0], "std": [40.0, 42.0, 45.0]}


class Constant(nn.Module):
    """Says the same everywhere, image by image as they come."""

    stride = 1

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, image: Tensor) -> Tensor:
        return self.logits.view(-1, 1, 1, 1).expand(-1, 1, *image.shape[-2:])


def unet(seed: int, *, depth: int = 2, stem_stride: int = 1) -> UNet:
    torch.manual_seed(seed)
    network = UNet(
        base_channels=4,
        max_channels=16,
        decoder_max_channels=16,
        depth=depth,
        blocks_per_stage=1,
        block="plain",
        normalisation="batch",
        activation="relu",
        upsampling="bilinear",
        context=False,
        stem_stride=stem_stride,  # type: ignore[arg-type]
        dropout=0.0,
        activation_checkpointing=False,
    )
    nn.init.normal_(network.head.weight)  # an untrained one says nearly the same of every pixel
    return network


def segmenter(network: nn.Module) -> Segmenter:
    return Segmenter(network, threshold=0.5, **NORMALISATION).eval()  # type: ignore[arg-type]


def photograph(height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (2, 3, height, width), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_its_probability_is_the_mean_of_its_members(size: tuple[int, int], count: int) -> None:
    members = [unet(seed) for seed in range(count)]
    image = photograph(*size)
    with torch.no_grad():
        logits = segmenter(Ensemble(members=members))(image)
        expected = torch.stack([segmenter(member).probability(image) for member in members]).mean(dim=0)
    assert logits.shape == (2, 1, *size)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(torch.sigmoid(logits), expected, rtol=1e-5, atol=1e-6)
    assert count == 1 or expected.std() > 0.01


@pytest.mark.parametrize("logits", [(0.0, 2.0), (-200.0, -150.0), (300.0, 90.0), (-100.0, 100.0), (50.0, -3.0, 7.0)])
def test_members_that_are_sure_of_themselves_leave_finite_logits(logits: Sequence[float]) -> None:
    found = Ensemble(members=[Constant(logit) for logit in logits])(torch.zeros(1, 3, 2, 2)).double()
    exact = torch.sigmoid(torch.tensor(logits, dtype=torch.float64)).mean()
    assert found.isfinite().all()
    torch.testing.assert_close(torch.sigmoid(found), exact.expand(1, 1, 2, 2), rtol=1e-4, atol=0)


def test_equal_members_change_nothing() -> None:
    logits = torch.tensor([-30.0, -5.0, 0.0, 0.1, 20.0])
    found = Ensemble(members=[Constant(*logits.tolist()) for _ in range(3)])(torch.zeros(5, 3, 1, 1))
    torch.testing.assert_close(found.flatten(), logits, rtol=1e-5, atol=1e-6)


def test_the_order_of_members_does_not_matter() -> None:
    values = (3.0, -2.0, 0.5)
    one, other = (Ensemble(members=[Constant(v) for v in order]) for order in (values, values[::-1]))
    torch.testing.assert_close(one(torch.zeros(1, 3, 2, 2)), other(torch.zeros(1, 3, 2, 2)))


def test_its_stride_fits_all_members() -> None:
    ensemble = Ensemble(members=[unet(0, depth=2), unet(1, depth=1, stem_stride=4), unet(2, depth=1)])
    assert [member.stride for member in ensemble.members] == [4, 8, 2]
    assert ensemble.stride == 8
    with torch.no_grad():
        assert segmenter(ensemble)(photograph(33, 47)).shape == (2, 1, 33, 47)


def test_strides_that_are_no_multiples_of_each_other_are_multiplied() -> None:
    members = [Constant(0.0), Constant(0.0)]
    members[0].stride, members[1].stride = 6, 4
    assert Ensemble(members=members).stride == 12


def test_the_gradient_reaches_every_member() -> None:
    ensemble = Ensemble(members=[unet(0), unet(1)])
    ensemble(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in ensemble.parameters())


def test_autocast_still_gives_float32_logits() -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert segmenter(Ensemble(members=[unet(0), unet(1)]))(photograph(32, 32)).dtype == torch.float32


@pytest.mark.parametrize("members", [[], [nn.Conv2d(3, 1, 1)], [unet(0), nn.Identity()]], ids=["none", "layer", "one"])
def test_what_is_no_network_is_no_member(members: Sequence[nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"model\.members have the strides"):
        Ensemble(members=members)
