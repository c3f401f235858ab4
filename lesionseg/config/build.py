"""Parts of a configuration, each a node with a `_target_`: finding, checking and building them.

A part may be a class of the user's own.
"""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from lesionseg.errors import InputError

EXTRAS = ("mlflow", "wandb")
"""Packages that parts come from; each is an extra of the same name."""
DEFAULT_STRIDE = 32
"""Pixels; most encoders halve an image five times."""
HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}


def build(name: str, node: Any, **arguments: Any) -> Any:
    """Builds a configured part.

    Args:
        name: Its place in the configuration, for the message.
        node: With `_target_`, or a mapping of such nodes.
        arguments: Objects that the configuration cannot hold.

    Raises:
        InputError: The part refuses its settings, is not of the kind that its group holds, or needs a package that is
            not installed.
    """
    part = _built(name, node, **arguments)
    for fault in kind_faults(name, part):
        raise InputError(fault)
    return part


def build_group(name: str, group: Mapping[str, Any]) -> dict[str, Any]:
    """Builds each part of a group that holds parts by name; one set to null is left out. See `build`."""
    return {str(key): build(f"{name}.{key}", node) for key, node in group.items() if node is not None}


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


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields nested settings with their dotted paths, each mapping and list before what is in it."""
    yield path, node
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from walk(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from walk(child, f"{path}[{index}]")


def target_nodes(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the dotted path and the node of every `_target_`, however deep."""
    return ((place, child) for place, child in walk(node, path) if isinstance(child, Mapping) and "_target_" in child)


def flat(settings: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Flattens nested mappings: `{"model": {"depth": 4}}` becomes `{"model.depth": 4}`."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        values |= flat(value, separator, f"{name}{separator}") if isinstance(value, Mapping) else {name: value}
    return values


@dataclass(frozen=True)
class Contract:
    """The contract that the parts of a group fulfil.

    Attributes:
        kinds: Dotted names of classes, one of which a part has to be an instance of; none for anything callable.
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
        ["lesionseg.metrics.formula.Formula", "torchmetrics.Metric"],  # a formula first, which needs no torch
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
    """Finds built parts that are not what their group holds.

    Args:
        name: Place in the configuration: a group, or `<group>.<name>` in a group that holds parts by name.
        part: None is left out in such a group.
    """
    group, _, key = name.partition(".")
    contract = CONTRACTS.get(group)
    if contract is None or (key and not contract.is_named):
        return
    if not (contract.is_named and not key):
        if part is not None and not _is_of(contract, part):
            yield f"{name} is {_described(part)}; allowed: {contract.words}"
    elif isinstance(part, Mapping):
        for one, value in part.items():
            yield from kind_faults(f"{name}.{one}", value)
    else:
        yield f"{name} is {_described(part)}; allowed: {contract.words}"


def class_faults(name: str, target: Any) -> Iterator[str]:
    """Finds a class that is not what its group holds, without building it.

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
    """Tells whether one of the classes fits; those after it are not imported."""
    return any(is_of(get_object(kind)) for kind in contract.kinds)


def _described(part: Any) -> str:
    kind = type(part)
    return f"a {kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else f"{part!r}"


def argument_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """Checks the arguments of a `_target_` node against the signature that it names."""
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
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for name, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind in by_name
        if needed and name not in given:
            yield f"{target} needs the argument {name}"


def _wrong_types(found: Any, given: Mapping[str, Any]) -> Iterator[str]:
    """Checks plain values against the annotations; an argument that is itself built from a node is no plain value."""
    annotations = _annotations(found)
    for name, value in given.items():
        if name not in annotations or next(target_nodes(value), None):
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
    """Returns the annotations of a function or of a class's constructor; none where they cannot be resolved."""
    function = vars(found).get("__init__") if isinstance(found, type) else found
    if not isinstance(function, types.FunctionType):
        return {}
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        return {}


@dataclass(frozen=True)
class TrainingLength:
    """Optimizer steps in all and in one epoch (fewer than batches when gradients are accumulated)."""

    total_steps: int
    steps_per_epoch: int

    def steps(self, epochs: float) -> int:
        """Converts a number of epochs to optimizer steps."""
        return round(epochs * self.steps_per_epoch)
