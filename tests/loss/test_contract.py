"""What every loss must do, whoever wrote it: add `conf/loss/mine.yaml` and it is tested here."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

import lesionseg.loss
from lesionseg.loss.combined import CombinedLoss

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
MODULES = [module.name for module in pkgutil.iter_modules(lesionseg.loss.__path__, "lesionseg.loss.")]
MASKS = {
    "empty": torch.zeros(2, 1, 8, 9),
    "full": torch.ones(2, 1, 8, 9),
    "lesion": torch.nn.functional.pad(torch.ones(2, 1, 4, 5), (2, 2, 2, 2)),
    "one of both": torch.cat([torch.zeros(1, 1, 8, 9), torch.ones(1, 1, 8, 9)]),
}
LOGITS = {
    "small": torch.randn(2, 1, 8, 9, generator=torch.Generator().manual_seed(0)),
    "zero": torch.zeros(2, 1, 8, 9),
    "100": torch.full((2, 1, 8, 9), 100.0),
    "-100": torch.full((2, 1, 8, 9), -100.0),
    "mixed 100": torch.randn(2, 1, 8, 9, generator=torch.Generator().manual_seed(0)).sign() * 100,
}


def build(*overrides: str) -> CombinedLoss:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose(overrides=list(overrides))
    loss = instantiate(config.loss)
    assert isinstance(loss, CombinedLoss)
    return loss


@pytest.fixture(scope="module", params=NAMES)
def loss(request: pytest.FixtureRequest) -> CombinedLoss:
    return build(f"+loss={request.param}")


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS.keys())
def test_value_and_gradient_are_finite(loss: CombinedLoss, logits: torch.Tensor, mask: torch.Tensor) -> None:
    logits = logits.clone().requires_grad_()
    value = loss(logits, mask)
    value.backward()
    assert value.shape == ()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradient_reaches_the_logits(loss: CombinedLoss) -> None:
    logits = LOGITS["small"].clone().requires_grad_()
    loss(logits, MASKS["lesion"]).backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0


def test_a_step_against_the_gradient_lowers_the_loss(loss: CombinedLoss) -> None:
    logits, mask = LOGITS["small"].clone().requires_grad_(), MASKS["lesion"]
    before = loss(logits, mask)
    (gradient,) = torch.autograd.grad(before, logits)
    assert loss(logits - 0.1 * gradient / gradient.norm(), mask) < before


def test_the_right_answer_costs_next_to_nothing_and_the_opposite_more(loss: CombinedLoss) -> None:
    mask = MASKS["lesion"]
    right, wrong = loss(mask * 200 - 100, mask), loss(100 - mask * 200, mask)
    assert right.item() == pytest.approx(0, abs=1e-4)
    assert wrong > right + 0.1


def test_empty_prediction_of_an_empty_mask_costs_nothing(loss: CombinedLoss) -> None:
    assert loss(LOGITS["-100"], MASKS["empty"]).item() == pytest.approx(0, abs=1e-4)


def test_images_are_scored_one_by_one(loss: CombinedLoss) -> None:
    """Holds per image, and for a mean over pixels of images of one size; not for sums pooled over the batch."""
    logits, mask = LOGITS["small"], torch.cat([MASKS["lesion"][:1], MASKS["full"][:1]])
    alone = torch.stack([loss(logits[i : i + 1], mask[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(loss(logits, mask), alone.mean())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_float_dtype_is_computed_in_float32(loss: CombinedLoss, dtype: torch.dtype) -> None:
    logits = LOGITS["small"].to(dtype).requires_grad_()
    value = loss(logits, MASKS["lesion"])
    value.backward()
    assert value.dtype == torch.float32
    assert logits.grad is not None
    assert logits.grad.dtype == dtype
    torch.testing.assert_close(value, loss(logits.detach().float(), MASKS["lesion"]), rtol=0, atol=0)


def test_autocast_does_not_change_the_value(loss: CombinedLoss) -> None:
    logits, mask = LOGITS["small"], MASKS["lesion"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, mask)
    torch.testing.assert_close(inside, loss(logits, mask), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool])
def test_any_mask_dtype_gives_the_same(loss: CombinedLoss, dtype: torch.dtype) -> None:
    mask = MASKS["lesion"]
    torch.testing.assert_close(loss(LOGITS["small"], mask.to(dtype)), loss(LOGITS["small"], mask), rtol=0, atol=0)


def test_channels_last_gives_the_same(loss: CombinedLoss) -> None:
    logits, mask = LOGITS["small"], MASKS["lesion"]
    moved = loss(logits.to(memory_format=torch.channels_last), mask.to(memory_format=torch.channels_last))
    torch.testing.assert_close(moved, loss(logits, mask))


def test_inputs_are_left_alone(loss: CombinedLoss) -> None:
    logits, mask = LOGITS["small"].clone(), MASKS["lesion"].clone()
    loss(logits, mask)
    assert torch.equal(logits, LOGITS["small"])
    assert torch.equal(mask, MASKS["lesion"])


def test_a_mask_of_another_shape_is_refused(loss: CombinedLoss) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        loss(LOGITS["small"], MASKS["lesion"][:, 0])


def test_checkpoints_do_not_depend_on_the_loss(loss: CombinedLoss) -> None:
    assert loss.state_dict() == {}


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_every_loss_has_a_yaml_of_its_name() -> None:
    losses = {module.rsplit(".", 1)[1] for module in MODULES} - {"combined", "pixels"}
    assert losses <= set(NAMES)


def test_a_list_on_the_command_line_adds_losses_up() -> None:
    logits, mask = LOGITS["small"], MASKS["lesion"]
    parts = build("+loss=bce")(logits, mask) + build("+loss=lovasz")(logits, mask)
    torch.testing.assert_close(build("+loss=[bce,lovasz]")(logits, mask), parts)


def test_bce_dice_is_the_list_of_both() -> None:
    logits, mask = LOGITS["small"], MASKS["lesion"]
    torch.testing.assert_close(build("+loss=bce_dice")(logits, mask), build("+loss=[bce,dice]")(logits, mask))
    assert list(build("+loss=[bce_dice,boundary]").terms_of(logits, mask)) == ["bce", "dice", "boundary"]


def test_the_command_line_changes_weights_and_hyperparameters_and_drops_terms() -> None:
    logits, mask = LOGITS["small"], MASKS["lesion"]
    half = build("+loss=dice", "loss.weights.dice=0.5")(logits, mask)
    torch.testing.assert_close(half, 0.5 * build("+loss=dice")(logits, mask))
    assert build("+loss=tversky", "loss.terms.tversky.alpha=0.4").terms["tversky"].alpha == 0.4
    assert list(build("+loss=bce_dice", "loss.terms.dice=null").terms_of(logits, mask)) == ["bce"]
