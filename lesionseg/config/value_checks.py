"""Checking configured values before any work: numbers against ranges, values against each other, and a trainer's."""

import logging
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lesionseg.config.build import build, target_nodes, walk
from lesionseg.errors import InputError
from lesionseg.system.machine import usable_cores

SMALLEST_IMAGE = 32
"""Height and width in pixels; in a smaller image a lesion is only a few pixels."""
LARGEST_IMAGE = 4096
"""Pixels. A checkpoint of a larger one is not opened, see `lesionseg.checkpoint.layout`."""
LARGEST_SEED = 2**32 - 1
"""Largest seed that NumPy takes."""
LARGEST = LARGEST_SEED
"""Largest number of any setting; libraries fail at a larger one, or run out of memory."""
MOST_FOLDS = 1000
TINY = 1e-12
"""Lower bound that stands for anything above 0."""

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
    "evaluation.resamples": (100, 1_000_000),
    "evaluation.seed": (0, LARGEST_SEED),
    "evaluation.boundary_tolerance": (TINY, 100),
    "evaluation.picture_size": (0, 10_000),
    "evaluation.worst": (0, 1000),
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
"""Lowest and highest allowed number by its place in the configuration; for a list, those of each of its numbers."""
LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches")
"""Keys of `trainer`; each is a number of batches, or a share where it has a decimal point."""
FEW_PROCESSES = 8
"""Number of processes that is always allowed on a CPU, to try them out."""


def range_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Finds the numbers of a verb's configuration, given as plain values, that are out of range or not a number."""
    for place, value in walk(plain):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield from _number_faults(place, value)


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
    if place.removeprefix("trainer.") in LIMITS and (value < 0 or (isinstance(value, float) and value > 1)):
        yield f"{place} is {value}; allowed: a number of batches, or a share of them from 0.0 to 1.0"


def pair_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Finds settings of a training that are allowed separately but not together."""
    trainer = plain.get("trainer", {})
    epochs, every = trainer.get("max_epochs"), trainer.get("check_val_every_n_epoch") or 1
    if epochs == 0:
        yield "trainer.max_epochs is 0, which trains nothing; allowed: at least 1"
    if trainer.get("limit_train_batches") == 0:
        yield "trainer.limit_train_batches is 0, which trains nothing; allowed: at least 1, a share, or null for all"
    if epochs == -1 and trainer.get("max_steps") in (None, -1):
        yield "trainer.max_epochs is -1, and trainer.max_steps is not set: the training has no end; set one of them"
    if trainer.get("fast_dev_run"):
        return
    if epochs is not None and 0 < epochs < every:
        yield (
            f"trainer.check_val_every_n_epoch is {every}, and trainer.max_epochs {epochs}: nothing would ever be "
            f"validated; allowed: at most {epochs}"
        )
    watching = [path for path, node in target_nodes(plain) if node.get("monitor") is not None]
    if trainer.get("limit_val_batches") == 0 and watching:
        yield (
            f"trainer.limit_val_batches is 0, but {', '.join(watching)} need what the validation measures; allowed: at "
            "least 1. To train without a validation, set those callbacks to null and take another scheduler"
        )


def scoring_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Finds settings of an evaluation that leave nothing to score."""
    if plain.get("trainer", {}).get("limit_test_batches") == 0:
        yield "trainer.limit_test_batches is 0, which scores nothing; allowed: at least 1, a share, or null for all"


def trainer_faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Finds faulty settings of a trainer: those that Lightning refuses, and some that it accepts but cannot run.

    Args:
        settings: Plain values of `conf/trainer`; `precision` is one of Lightning's words or missing. A strategy with
            settings of its own is not tried, because it may look for the other machines of a cluster. Neither is a
            trainer on GPUs, which would occupy them.
    """
    own = [*_time_faults(settings.get("max_time")), *_process_faults(settings)]
    yield from own
    if own or _has_gpus(settings) or isinstance(settings.get("strategy"), Mapping):
        return
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment  # masks are scored without it

    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    try:
        with _unannounced():
            # The environment of a batch job would count the processes of the real trainer.
            build("trainer", settings, **dict.fromkeys(quiet, False), plugins=[LightningEnvironment()])
    except InputError as error:
        yield str(error)


def _time_faults(longest: Any) -> Iterator[str]:
    """Finds a time limit that is malformed or zero; Lightning checks a mapping of `days`, `hours` and so on."""
    is_written = isinstance(longest, str) and re.fullmatch(r"\d+:\d\d:\d\d:\d\d", longest)
    if longest is None or isinstance(longest, Mapping) or (is_written and re.search("[1-9]", longest)):
        return
    yield (
        f"trainer.max_time is {longest!r}; allowed: days:hours:minutes:seconds above 0, such as 00:00:10:00 for ten "
        "minutes, or null"
    )


def _process_faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Finds a number of processes that a CPU cannot run; `accelerator_faults` checks GPUs."""
    devices = settings.get("devices", "auto")
    if _has_gpus(settings):
        if devices in (0, "0", "", []):
            yield f"trainer.devices is {devices!r}; allowed: a number of GPUs from 1, -1 for all, or a list of theirs"
        return
    most = max(usable_cores(), FEW_PROCESSES)
    count = int(devices) if isinstance(devices, str) and devices.isdecimal() else devices
    if devices != "auto" and not (isinstance(count, int) and 1 <= count <= most):
        yield f"trainer.devices is {devices!r}; allowed on a CPU: 1 to {most} processes, or auto"


def _has_gpus(settings: Mapping[str, Any]) -> bool:
    import torch  # takes seconds, which the other checks do without

    accelerator = settings.get("accelerator", "auto")
    found = torch.cuda.device_count() > 0 or torch.backends.mps.is_available()
    return accelerator in ("gpu", "cuda", "mps", "tpu") or (accelerator == "auto" and found)


@contextmanager
def _unannounced() -> Iterator[None]:
    """Silences the messages about the device, which the real trainer repeats."""
    announcer = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = announcer.level
    announcer.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        announcer.setLevel(before)
