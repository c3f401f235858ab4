"""Building a configured part, which may be a class of the user's own, and checking what it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate

from lesionseg.errors import InputError

EXTRAS = ("mlflow", "wandb")
"""Packages of parts that are not lesionseg's own; each is an extra of the same name."""
DEFAULT_STRIDE = 32
"""Pixels; most encoders halve an image five times."""


def build(name: str, node: Any, **arguments: Any) -> Any:
    """Builds a configured part.

    Args:
        name: Its place in the configuration, for the message.
        node: With `_target_`, or a mapping of such nodes.
        arguments: Objects the configuration cannot hold.

    Raises:
        InputError: The part refuses its settings, is not of the kind that its group holds, or needs a package that is
            not installed.
    """
    part = _built(name, node, **arguments)
    for fault in kind_faults(name, part):
        raise InputError(fault)
    return part


def _built(name: str, node: Any, **arguments: Any) -> Any:
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from None
        extra = next((extra for extra in EXTRAS if extra in str(cause)), None)
        if isinstance(cause, ModuleNotFoundError) and extra is not None:
            raise InputError(f"{name} needs {extra}: pip install 'lesionseg[{extra}]', or leave it out") from None
        # Constructors only look at their settings, so whatever they raise is about these.
        raise InputError(f"{name}: {cause}") from error


@dataclass(frozen=True)
class Contract:
    """Of a group.

    Attributes:
        kinds: Dotted names of the classes one of which a part has to be of; none for whatever can be called.
        words: What is allowed, for a message.
        is_named: Whether the group holds parts by name, as `metrics` does.
    """

    kinds: Sequence[str]
    words: str
    is_named: bool = False


CONTRACTS: Mapping[str, Contract] = {
    "data": Contract(
        ["lesionseg.data.source.Source"],
        "a lesionseg.data.source.Source, whose listing() names images and masks (see lesionseg/data/folder.py). Images "
        "of your own need no code: data=folder data.root=FOLDER",
    ),
    "augmentation": Contract(
        [],
        "something to call with (image (H, W, 3) uint8, mask (H, W) uint8 in {0, 1}, seed) that returns both, changed "
        "together; transforms of albumentations belong into augmentation.steps",
    ),
    "model": Contract(
        ["torch.nn.Module"],
        "a torch.nn.Module that maps an image (B, 3, H, W) to one tensor of logits (B, 1, H, W), where H and W are "
        f"multiples of its attribute stride, an integer from 1, or of {DEFAULT_STRIDE} where it has none",
    ),
    "loss": Contract(
        ["lesionseg.loss.combined.CombinedLoss"],
        "lesionseg.loss.combined.CombinedLoss with terms by name, each a torch.nn.Module from (logits, mask), both "
        "(B, 1, H, W), to a scalar, and a weight for each: 'terms: {mine: {_target_: my_module.MyLoss}}' and "
        "'weights: {mine: 1.0}' (see conf/loss/dice.yaml)",
    ),
    "metrics": Contract(
        ["lesionseg.metrics.formula.Formula", "torchmetrics.Metric"],  # in this order: a formula needs no torch
        "lesionseg.metrics.formula.Formula by name (see lesionseg/metrics/dice.py), which every report shows, or "
        "torchmetrics.Metric, such as 'mine: {_target_: my_module.MyMetric}'; the latter's update() gets prediction, "
        "bool, and mask, uint8 in {0, 1}, both (B, 1, H, W), and its compute() returns a tensor",
        is_named=True,
    ),
    "optimizer": Contract([], "a class of torch.optim.Optimizer with '_partial_: true', since its weights come later"),
    "scheduler": Contract(
        [],
        "a function with '_partial_: true' that makes of an optimizer and a TrainingLength a list of Lightning's "
        "schedulers, [{'scheduler': ..., 'interval': 'step'}] (see lesionseg/training/schedulers.py)",
    ),
    "callbacks": Contract(
        ["lightning.pytorch.Callback"],
        "lightning.pytorch.Callback by name, such as 'mine: {_target_: my_module.MyCallback}'",
        is_named=True,
    ),
    "logger": Contract(
        ["lightning.pytorch.loggers.Logger"],
        "lightning.pytorch.loggers.Logger by name, such as 'mine: {_target_: my_module.MyLogger}'",
        is_named=True,
    ),
}


def kind_faults(name: str, part: Any) -> Iterator[str]:
    """Finds what is not what its group holds.

    Args:
        name: Its place in the configuration: a group, or `<group>.<name>` in a group that holds parts by name.
        part: As it was built; None in such a group is left out.
    """
    group, _, key = name.partition(".")
    contract = CONTRACTS.get(group)
    if contract is None or (key and not contract.is_named):
        return
    if contract.is_named and not key:
        if not isinstance(part, Mapping):
            yield f"{name} is {_described(part)}; allowed: {contract.words}"
            return
        for one, value in part.items():
            yield from kind_faults(f"{name}.{one}", value)
    elif part is not None and not _is_of(contract, part):
        yield f"{name} is {_described(part)}; allowed: {contract.words}"


def class_faults(name: str, target: Any) -> Iterator[str]:
    """Finds a class that is not what its group holds, without making anything of it; see `kind_faults`.

    Args:
        name: `<group>.<name>`.
        target: Its `_target_`; None where it has none.
    """
    contract = CONTRACTS[name.partition(".")[0]]
    found = get_object(target) if isinstance(target, str) and "." in target else None
    is_other = isinstance(found, type) and contract.kinds and not _any_kind(contract, partial(issubclass, found))
    if found is None or is_other:
        yield f"{name} is {target}; allowed: {contract.words}"


def _is_of(contract: Contract, part: Any) -> bool:
    return _any_kind(contract, partial(isinstance, part)) if contract.kinds else callable(part)


def _any_kind(contract: Contract, is_of: Callable[[type], bool]) -> bool:
    """Imports one class after another until one fits."""
    return any(is_of(get_object(kind)) for kind in contract.kinds)


def _described(part: Any) -> str:
    kind = type(part)
    return f"a {kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else f"{part!r}"


@dataclass(frozen=True)
class TrainingLength:
    """Optimizer steps in all and in one epoch (fewer than batches when gradients are accumulated)."""

    total_steps: int
    steps_per_epoch: int

    def steps(self, epochs: float) -> int:
        """Converts a number of epochs to optimizer steps."""
        return round(epochs * self.steps_per_epoch)
