"""What a part of each group has to be. A part may be anybody's own class, so this is checked where it is built."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.utils import get_object

DEFAULT_STRIDE = 32
"""Pixels; most encoders halve an image five times."""


@dataclass(frozen=True)
class Contract:
    """What every part of a group has to be.

    Attributes:
        kind: The class that a part has to be of, by its dotted name; None for whatever can be called.
        words: What is allowed, for a message.
        is_named: Whether the group holds parts by name, as `metrics` does.
    """

    kind: str | None
    words: str
    is_named: bool = False


CONTRACTS: Mapping[str, Contract] = {
    "data": Contract(
        "lesionseg.data.source.Source",
        "a lesionseg.data.source.Source, whose listing() names images and masks (see lesionseg/data/folder.py). Images "
        "of your own need no code: data=folder data.root=FOLDER",
    ),
    "augmentation": Contract(
        None,
        "something to call with (image (H, W, 3) uint8, mask (H, W) uint8 in {0, 1}, seed) that returns both, changed "
        "together; transforms of albumentations belong into augmentation.steps",
    ),
    "model": Contract(
        "torch.nn.Module",
        "a torch.nn.Module that maps an image (B, 3, H, W) to one tensor of logits (B, 1, H, W), where H and W are "
        f"multiples of its attribute stride, an integer from 1, or of {DEFAULT_STRIDE} where it has none",
    ),
    "loss": Contract(
        "lesionseg.loss.combined.CombinedLoss",
        "lesionseg.loss.combined.CombinedLoss with terms by name, each a torch.nn.Module from (logits, mask), both "
        "(B, 1, H, W), to a scalar, and a weight for each: 'terms: {mine: {_target_: my_module.MyLoss}}' and "
        "'weights: {mine: 1.0}' (see conf/loss/dice.yaml)",
    ),
    "metrics": Contract(
        "torchmetrics.Metric",
        "torchmetrics.Metric by name, such as 'mine: {_target_: my_module.MyMetric}'; its update() gets prediction, "
        "bool, and mask, uint8 in {0, 1}, both (B, 1, H, W), and its compute() returns a tensor",
        is_named=True,
    ),
    "optimizer": Contract(
        None, "a class of torch.optim.Optimizer with '_partial_: true', since its weights come later"
    ),
    "scheduler": Contract(
        None,
        "a function with '_partial_: true' that makes of an optimizer and a TrainingLength a list of Lightning's "
        "schedulers, [{'scheduler': ..., 'interval': 'step'}] (see lesionseg/scheduler/cosine.py)",
    ),
    "callbacks": Contract(
        "lightning.pytorch.Callback",
        "lightning.pytorch.Callback by name, such as 'mine: {_target_: my_module.MyCallback}'",
        is_named=True,
    ),
    "logger": Contract(
        "lightning.pytorch.loggers.Logger",
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
    is_other = isinstance(found, type) and contract.kind and not issubclass(found, get_object(contract.kind))
    if found is None or is_other:
        yield f"{name} is {target}; allowed: {contract.words}"


def _is_of(contract: Contract, part: Any) -> bool:
    return callable(part) if contract.kind is None else isinstance(part, get_object(contract.kind))


def _described(part: Any) -> str:
    kind = type(part)
    return f"a {kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else f"{part!r}"
