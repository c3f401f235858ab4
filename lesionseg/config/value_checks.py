"""Checking configured values: arguments against signatures, and numbers against ranges."""

import inspect
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from hydra.utils import get_object
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from lesionseg.config.nested import target_nodes

SMALLEST_IMAGE = 32
"""Height and width in pixels below which a lesion is no more than a few pixels."""
LARGEST_IMAGE = 4096
"""Pixels. A checkpoint of a larger one is not opened, see `lesionseg.checkpoint.layout`."""
LARGEST_SEED = 2**32 - 1
"""Largest seed that NumPy takes."""
LARGEST = LARGEST_SEED
"""No setting of anything needs a larger number; many owners fail at one, or run out of memory."""
MOST_FOLDS = 1000

TINY = 1e-12
"""Bound that stands for anything above 0."""

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
"""Lowest and highest allowed number by its place in the configuration; for a list, those of each of its numbers."""
LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches")
"""Keys of `trainer`; each is a number of batches, or a share where it has a decimal point."""
HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}


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


def pair_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names settings of a training that are allowed each, but not together."""
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
    watching = [path for path, node in target_nodes(plain, "") if node.get("monitor") is not None]
    if trainer.get("limit_val_batches") == 0 and watching:
        yield (
            f"trainer.limit_val_batches is 0, but {', '.join(watching)} need what the validation measures; allowed: at "
            "least 1. To train without a validation, set those callbacks to null and take another scheduler"
        )


def scoring_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names settings of an evaluation that leave nothing to score."""
    if plain.get("trainer", {}).get("limit_test_batches") == 0:
        yield "trainer.limit_test_batches is 0, which scores nothing; allowed: at least 1, a share, or null for all"


def argument_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """Checks one `_target_` node's arguments against the signature of what it names."""
    target = node["_target_"]
    try:
        found = get_object(target)
        parameters = inspect.signature(found).parameters
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        yield f"_target_ {target} cannot be used: {error}"
        return
    given = {str(name): value for name, value in node.items() if name not in HYDRA_KEYS}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name in given.keys() - parameters if not open_ended else ():
        likely = get_close_matches(name, parameters, n=1)
        hint = f" (did you mean {likely[0]}?)" if likely else ""
        yield f"{target} has no argument {name}{hint}; allowed: {', '.join(parameters)}"
    if not node.get("_partial_"):
        yield from _missing(target, given, parameters)
    yield from _wrong_types(found, given)


def _missing(target: str, given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> Iterator[str]:
    """Finds arguments that have no default and no value."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for name, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind in by_name
        if needed and name not in given:
            yield f"{target} needs the argument {name}"


def _wrong_types(found: Any, given: Mapping[str, Any]) -> Iterator[str]:
    """Holds plain values against the annotations; parts that are built from nodes of their own are not values."""
    annotations = _annotations(found)
    for name, value in given.items():
        if name not in annotations or next(target_nodes(value, ""), None):
            continue
        try:
            # Arbitrary classes in an annotation are checked by their own constructors, not here.
            adapter: TypeAdapter[Any] = TypeAdapter(annotations[name], config=ConfigDict(arbitrary_types_allowed=True))
        except (PydanticUserError, TypeError, NameError):
            continue
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            yield f"{name} is {value!r}: {' or '.join(fault['msg'] for fault in error.errors())}"


def _annotations(found: Any) -> dict[str, Any]:
    """Resolves the annotations of a function or of a class's constructor; nothing where they cannot be resolved."""
    function = vars(found).get("__init__") if isinstance(found, type) else found
    if not isinstance(function, types.FunctionType):
        return {}
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        return {}
