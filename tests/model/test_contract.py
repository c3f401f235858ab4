"""What every model must do, whoever wrote it: add `conf/model/mine.yaml` and it is tested here, in its segmenter."""

import functools
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from lesionseg.checkpoint.rebuild import build_named
from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.model.segmenter import Segmenter

NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
SIZES = [(32, 32), (33, 47), (64, 96), (97, 50)]
SMALL = {"base_channels": 4, "encoder": "resnet18", "decoder_channels": [32, 16, 8, 8, 4], "encoder_weights": None}
"""Options that only make a model larger, lowered where it has them, so that tests are quick; and no downloads."""
EXTRAS = {"smp": "segmentation_models_pytorch"}
"""Of the models that need more than lesionseg itself installs: what has to be there for their tests."""


@pytest.fixture(params=NAMES)
def config(request: pytest.FixtureRequest, compose) -> Any:  # type: ignore[no-untyped-def]
    if request.param in EXTRAS:
        pytest.importorskip(EXTRAS[request.param], reason=f"the extra lesionseg[{request.param}] is not installed")
    cfg = compose([f"model={request.param}"])
    for name in SMALL.keys() & cfg.model.keys():
        cfg.model[name] = SMALL[name]
    return cfg


@pytest.fixture
def segmenter(config: Any) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(instantiate(config.model), **config.segmenter).eval()


@functools.cache
def photograph(height: int, width: int, batch: int = 2) -> Tensor:
    return torch.randint(
        0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_size_gives_one_float32_logit_a_pixel(segmenter: Segmenter, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = segmenter(photograph(*size))
    assert isinstance(logits, Tensor)
    assert logits.shape == (2, 1, *size)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_bytes_and_floats_give_the_same(segmenter: Segmenter) -> None:
    with torch.no_grad():
        torch.testing.assert_close(segmenter(photograph(32, 32).float()), segmenter(photograph(32, 32)))


def test_autocast_still_gives_float32_logits(segmenter: Segmenter) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert segmenter(photograph(32, 32)).dtype == torch.float32


def test_channels_last_memory_gives_the_same(segmenter: Segmenter) -> None:
    with torch.no_grad():
        plain = segmenter(photograph(33, 47))
        segmenter.to(memory_format=torch.channels_last)
        moved = segmenter(photograph(33, 47).to(memory_format=torch.channels_last))
    torch.testing.assert_close(moved, plain, rtol=1e-3, atol=1e-4)


def test_an_image_scores_the_same_alone_and_in_a_batch(segmenter: Segmenter) -> None:
    images = photograph(33, 47)
    with torch.no_grad():
        torch.testing.assert_close(segmenter(images[:1]), segmenter(images)[:1], rtol=1e-3, atol=1e-4)


def test_the_gradient_reaches_every_parameter(segmenter: Segmenter) -> None:
    segmenter.train()
    segmenter(photograph(64, 96)).square().mean().backward()
    assert [name for name, value in segmenter.named_parameters() if value.grad is None] == []
    assert all(value.grad.isfinite().all() for value in segmenter.parameters() if value.grad is not None)


def test_what_it_says_depends_on_what_it_sees(segmenter: Segmenter) -> None:
    with torch.no_grad():
        assert not torch.equal(segmenter(photograph(32, 32)), segmenter(255 - photograph(32, 32)))


def test_the_stride_is_a_positive_integer_that_padding_can_use(segmenter: Segmenter) -> None:
    stride = segmenter.network.stride
    assert isinstance(stride, int)
    assert stride >= 1
    with torch.no_grad():
        assert segmenter.network(torch.randn(1, 3, 2 * stride, 3 * stride)).shape == (1, 1, 2 * stride, 3 * stride)


def test_the_mask_is_where_the_probability_is_above_the_threshold(segmenter: Segmenter) -> None:
    with torch.no_grad():
        image = photograph(33, 47)
        assert torch.equal(segmenter.mask(image), torch.sigmoid(segmenter(image)) > segmenter.threshold)


def test_a_state_dict_restores_the_very_same_model(config: Any, segmenter: Segmenter) -> None:
    torch.manual_seed(1)
    other = Segmenter(instantiate(config.model), **config.segmenter).eval()
    with torch.no_grad():
        expected = segmenter(photograph(33, 47))
        assert not torch.equal(other(photograph(33, 47)), expected)
        other.load_state_dict(segmenter.state_dict())
        assert torch.equal(other(photograph(33, 47)), expected)


def test_a_checkpoint_can_rebuild_the_network_from_plain_values(config: Any) -> None:
    plain: Any = OmegaConf.to_container(config.model, resolve=True)
    assert isinstance(build_named(plain, torch.nn.Module, "lesionseg.model"), torch.nn.Module)


def test_it_can_be_built_without_allocating_anything(config: Any) -> None:
    """`check` builds every model on the meta device, however large it is."""
    with torch.device("meta"):
        network = build("model", config.model)
    assert all(parameter.is_meta for parameter in network.parameters())


def test_a_few_steps_learn_a_lesion(config: Any) -> None:
    torch.manual_seed(0)
    segmenter = Segmenter(instantiate(config.model), **config.segmenter).train()
    target = torch.zeros(2, 1, 64, 64)
    target[..., 16:48, 8:40] = 1
    image = 220 - 140 * target.expand(2, 3, 64, 64)
    optimizer = torch.optim.Adam(segmenter.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(segmenter(image), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
