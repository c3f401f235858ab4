"""Ranges and pairs of settings whose owners take any number and fail, or train nothing, only later."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lesionseg.config.arguments import target_nodes

SMALLEST_IMAGE = 32
"""Height and width in pixels below which a lesion is no more than a few pixels."""
LARGEST_IMAGE = 4096
"""Pixels. A checkpoint of a larger one is not opened, see `lesionseg.checkpoint.layout`."""
LARGEST_SEED = 2**32 - 1
"""NumPy's."""

TINY = 1e-12
"""What stands for anything above 0."""

RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, LARGEST_SEED),
    "image_size": (SMALLEST_IMAGE, LARGEST_IMAGE),
    "batch_size": (1, 100_000),
    "min_train_batches": (1, 1_000_000),
    "num_workers": (0, 1000),
    "scheduler.warmup_epochs": (0, 100_000),
    "scheduler.final_factor": (0, 1),
    "scheduler.first_factor": (TINY, 1),
    "scheduler.power": (0, 100),
    "scheduler.patience": (0, 1_000_000),
    "scheduler.factor": (TINY, math.inf),  # torch says what it may be at most
    "callbacks.early_stopping.patience": (0, 1_000_000),
    "evaluation.resamples": (-math.inf, 1_000_000),
    "trainer.max_epochs": (-1, 1_000_000),
    "trainer.max_steps": (-1, 1_000_000_000),
    "trainer.accumulate_grad_batches": (1, 1_000_000),
    "trainer.check_val_every_n_epoch": (1, 1_000_000),
    "trainer.log_every_n_steps": (0, 1_000_000_000),
    "trainer.num_sanity_val_steps": (-1, 1_000_000),
    "trainer.gradient_clip_val": (0, math.inf),
}
"""By their places in the configuration: the lowest and the highest that are allowed."""
LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches")
"""Of `trainer`; each is a number of batches, or a share where it has a decimal point."""


def range_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names every number of a configuration, of plain values, that is out of its range or none at all."""
    numbers = dict(_numbers(plain, ""))
    yield from (f"{place} is {value}; allowed: a number" for place, value in numbers.items() if math.isnan(value))
    for place, (lowest, highest) in RANGES.items():
        value = numbers.get(place, lowest)
        if value < lowest:
            yield f"{place} is {value}; allowed: {'above 0' if lowest == TINY else f'at least {lowest:g}'}"
        elif value > highest:
            yield f"{place} is {value}; allowed: at most {highest:.12g}"
    for name in LIMITS:
        limit = numbers.get(f"trainer.{name}", 1)
        if limit < 0 or (isinstance(limit, float) and limit > 1):
            yield f"trainer.{name} is {limit}; allowed: a number of batches, or a share of them from 0.0 to 1.0"


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


def pair_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names settings of a training that are allowed each, but not together."""
    trainer = plain.get("trainer", {})
    epochs, every = trainer.get("max_epochs"), trainer.get("check_val_every_n_epoch") or 1
    if epochs == 0:
        yield "trainer.max_epochs is 0, which trains nothing; allowed: at least 1"
    if epochs == -1 and trainer.get("max_steps") in (None, -1):
        yield "trainer.max_epochs is -1, and trainer.max_steps is not set: the training has no end; set one of them"
    if trainer.get("fast_dev_run"):
        return
    if epochs is not None and 0 < epochs < every:
        yield (
            f"trainer.check_val_every_n_epoch is {every}, and trainer.max_epochs {epochs}: nothing would ever be "
            f"validated; allowed: at most {epochs}"
        )
    watching = [path for path, node in target_nodes(plain, "") if node.get("monitor") is not None]
    if trainer.get("limit_val_batches") == 0 and watching:
        yield (
            f"trainer.limit_val_batches is 0, but {', '.join(watching)} need what the validation measures; allowed: at "
            "least 1. To train without a validation, set those callbacks to null and take another scheduler"
        )
