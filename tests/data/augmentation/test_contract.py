"""What every augmentation must do, whoever wrote it: add `conf/augmentation/mine.yaml` and it is tested here."""

import pickle
from typing import Any

import albumentations
import cv2
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import DictConfig

from lesionseg.config.schema import CONF
from lesionseg.data.augmentation.pipeline import Augmentation
from lesionseg.data.synthetic_image import draw_dermoscopy

NAMES = sorted(path.stem for path in (CONF / "augmentation").glob("*.yaml"))
SIZE = 64
IMAGE, MASK = draw_dermoscopy(3, SIZE)
SEEDS = range(12)


def blob() -> tuple[np.ndarray, np.ndarray]:
    """White where the mask is and black elsewhere; without symmetry, so that every way to move it shows."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(mask, (26, 36), (20, 11), 30, 0, 360, 1, -1)
    cv2.circle(mask, (40, 22), 7, 1, -1)
    return np.dstack([mask * np.uint8(255)] * 3), mask


@pytest.fixture(params=NAMES)
def node(request: pytest.FixtureRequest, compose: Any) -> DictConfig:
    """The augmentation with every step always on."""
    composed: DictConfig = compose([f"augmentation={request.param}"]).augmentation
    for step in composed.steps.values():
        step.p = 1.0
    return composed


@pytest.fixture
def augmentation(node: DictConfig) -> Augmentation:
    built: Augmentation = instantiate(node)
    return built


def moving_steps(node: DictConfig) -> dict[str, Augmentation]:
    """One augmentation for each step that moves pixels."""
    return {name: Augmentation({name: step}) for name, step in built_steps(node).items() if moves(step)}


def still_steps(node: DictConfig) -> dict[str, Augmentation]:
    """One augmentation for each step that does not."""
    return {name: Augmentation({name: step}) for name, step in built_steps(node).items() if not moves(step)}


def built_steps(node: DictConfig) -> dict[str, Any]:
    return {str(name): instantiate(step) for name, step in node.steps.items()}


def moves(step: Any) -> bool:
    """Covering a part of the image is of albumentations' dual transforms too, but moves nothing."""
    return isinstance(step, albumentations.DualTransform) and not isinstance(step, albumentations.CoarseDropout)


def test_shapes_types_and_ranges_are_kept(augmentation: Augmentation) -> None:
    for seed in SEEDS:
        image, mask = augmentation(IMAGE, MASK, seed)
        assert image.shape == IMAGE.shape
        assert mask.shape == MASK.shape
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1}


@pytest.mark.parametrize("size", [(33, 47), (97, 50)])
def test_any_size_will_do(augmentation: Augmentation, size: tuple[int, int]) -> None:
    """Turning a quarter swaps the sides, so images that are not square may come out turned."""
    image = np.zeros((*size, 3), np.uint8)
    changed, mask = augmentation(image, np.ones(size, np.uint8), 1)
    assert sorted(changed.shape[:2]) == sorted(size)
    assert changed.shape[:2] == mask.shape


def test_image_and_mask_move_together(node: DictConfig) -> None:
    """Under each step that moves pixels, the mask stays where the image is white, but for half-covered ones."""
    for name, step in moving_steps(node).items():
        moved = 0
        for seed in SEEDS:
            image, mask = step(*blob(), seed)
            apart = np.mean((image[..., 0] > 127) != mask)
            assert apart < 0.02, f"{name}, seed {seed}"
            moved += not np.array_equal(mask, blob()[1])
        assert moved > len(SEEDS) / 2, name


def test_colours_leave_the_mask_alone(node: DictConfig) -> None:
    for name, step in still_steps(node).items():
        changed = 0
        for seed in SEEDS:
            image, mask = step(IMAGE, MASK, seed)
            assert np.array_equal(mask, MASK), name
            changed += not np.array_equal(image, IMAGE)
        assert changed > len(SEEDS) / 2, name


@pytest.mark.parametrize("value", [0, 1])
def test_an_empty_mask_stays_empty_and_a_full_one_full(augmentation: Augmentation, value: int) -> None:
    """Full, because beyond the edge skin and lesion go on: no black border that the mask would call skin."""
    for seed in SEEDS:
        assert (augmentation(IMAGE, np.full((SIZE, SIZE), value, np.uint8), seed)[1] == value).all()


def test_the_lesion_is_not_lost(augmentation: Augmentation) -> None:
    assert all(augmentation(IMAGE, MASK, seed)[1].any() for seed in SEEDS)


def test_a_seed_gives_the_same_in_any_order_and_any_copy(node: DictConfig, augmentation: Augmentation) -> None:
    first = [augmentation(IMAGE, MASK, seed) for seed in SEEDS]
    for other in (augmentation, instantiate(node), pickle.loads(pickle.dumps(augmentation))):
        for seed in reversed(SEEDS):
            image, mask = other(IMAGE, MASK, seed)
            assert np.array_equal(image, first[seed][0])
            assert np.array_equal(mask, first[seed][1])


def test_another_seed_gives_another_image(node: DictConfig, augmentation: Augmentation) -> None:
    if not node.steps:
        pytest.skip("this augmentation has no step")
    assert len({augmentation(IMAGE, MASK, seed)[0].tobytes() for seed in SEEDS}) == len(SEEDS)


def test_inputs_are_left_alone(augmentation: Augmentation) -> None:
    image, mask = IMAGE.copy(), MASK.copy()
    for seed in SEEDS:
        augmentation(image, mask, seed)
    assert np.array_equal(image, IMAGE)
    assert np.array_equal(mask, MASK)


def test_every_step_can_be_dropped_from_the_command_line(compose: Any) -> None:
    steps = compose([]).augmentation.steps
    without = [f"augmentation.steps.{name}=null" for name in steps]
    image, mask = instantiate(compose(without).augmentation)(IMAGE, MASK, 0)
    assert np.array_equal(image, IMAGE)
    assert np.array_equal(mask, MASK)
