"""Ranges of settings whose owners take any number and fail, or do nothing, only later; of every verb."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

SMALLEST_IMAGE = 32
"""Height and width in pixels below which a lesion is no more than a few pixels."""
LARGEST_IMAGE = 4096
"""Pixels. A checkpoint of a larger one is not opened, see `lesionseg.stored.contents`."""
LARGEST_SEED = 2**32 - 1
"""NumPy's."""
LARGEST = LARGEST_SEED
"""No setting of anything needs a larger number; many owners fail at one, or run out of memory."""
MOST_FOLDS = 1000

TINY = 1e-12
"""What stands for anything above 0."""

RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, LARGEST_SEED),
    "image_size": (SMALLEST_IMAGE, LARGEST_IMAGE),
    "batch_size": (1, 100_000),
    "min_train_batches": (1, 1_000_000),
    "num_workers": (0, math.inf),  # how many at most depends on the machine, see lesionseg/check.py
    "data.folds": (2, MOST_FOLDS),
    "augmentation.steps.shift_scale_rotate.scale": (TINY, 100),
    "optimizer.lr": (TINY, LARGEST),
    "scheduler.warmup_epochs": (0, 100_000),
    "scheduler.final_factor": (0, 1),
    "scheduler.first_factor": (TINY, 1),
    "scheduler.power": (0, 100),
    "scheduler.patience": (0, 1_000_000),
    "scheduler.factor": (TINY, math.inf),  # torch says what it may be at most
    "callbacks.early_stopping.patience": (0, 1_000_000),
    "callbacks.early_stopping.min_delta": (0, LARGEST),
    "evaluation.resamples": (-math.inf, 1_000_000),
    "evaluation.picture_size": (-math.inf, 10_000),
    "evaluation.worst": (-math.inf, 1000),
    "trainer.max_epochs": (-1, 1_000_000),
    "trainer.max_steps": (-1, 1_000_000_000),
    "trainer.accumulate_grad_batches": (1, 1_000_000),
    "trainer.check_val_every_n_epoch": (1, 1_000_000),
    "trainer.val_check_interval": (TINY, 1_000_000_000),
    "trainer.log_every_n_steps": (0, 1_000_000_000),
    "trainer.num_sanity_val_steps": (-1, 1_000_000),
    "trainer.gradient_clip_val": (0, math.inf),
    # of lesionseg.evaluate
    "prediction_above": (0, 254),
    "truth_above": (0, 254),
    # of lesionseg.export
    "compare_images": (1, 100_000),
    "calibration_images": (1, 1_000_000),
    "tolerance": (TINY, 1),
    "int8_tolerance": (TINY, 1),
    # of lesionseg.compare
    "resamples": (100, 1_000_000),
    # of lesionseg.crossval
    "folds": (2, MOST_FOLDS),
    "seeds": (0, LARGEST_SEED),
    "jobs": (1, 1000),
    # of lesionseg.benchmark
    "rounds": (1, 100_000),
    "seconds": (TINY, 86_400),
    "inference_batch_size": (1, 100_000),
    "loader_images": (1, 1_000_000),
    # of lesionseg.download
    "timeout": (TINY, 86_400),
}
"""By their places in the configuration: the lowest and the highest that are allowed. A list's are those of each of its
numbers."""
LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches")
"""Keys of `trainer`; each is a number of batches, or a share where it has a decimal point."""


def range_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names every number of a verb's configuration, of plain values, that is out of its range or none at all."""
    for place, value in _numbers(plain, ""):
        yield from _number_faults(place, value)
        if place.removeprefix("trainer.") in LIMITS and (value < 0 or (isinstance(value, float) and value > 1)):
            yield f"{place} is {value}; allowed: a number of batches, or a share of them from 0.0 to 1.0"


def _number_faults(place: str, value: float) -> Iterator[str]:
    lowest, highest = RANGES.get(re.sub(r"\[\d+\]$", "", place), (-math.inf, math.inf))
    if math.isnan(value):
        yield f"{place} is {value}; allowed: a number"
    elif value < lowest:
        yield f"{place} is {value}; allowed: {'above 0' if lowest == TINY else f'at least {lowest:g}'}"
    elif value > min(highest, LARGEST):
        yield f"{place} is {value}; allowed: at most {min(highest, LARGEST):.12g}"
    elif value < -LARGEST:
        yield f"{place} is {value}; allowed: at least {-LARGEST}"


def _numbers(node: Any, place: str) -> Iterator[tuple[str, float]]:
    """Finds every number of nested settings, with its dotted place."""
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _numbers(child, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _numbers(child, f"{place}[{index}]")
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield place, node
