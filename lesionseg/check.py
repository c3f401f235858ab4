"""Checking a composed configuration before any work: everything wrong, all at once."""

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

import lesionseg.augmentation  # noqa: F401  (keeps albumentations, named in YAMLs, from asking a server)
from lesionseg.errors import InputError, raise_all
from lesionseg.scheduler.length import TrainingLength

HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
SMALLEST_IMAGE = 32
"""Height and width in pixels below which a lesion is no more than a few pixels."""
LOWEST = {"seed": 0, "batch_size": 1, "num_workers": 0, "image_size": SMALLEST_IMAGE}


def check(cfg: DictConfig) -> None:
    """Checks a verb's whole configuration.

    Raises:
        InputError: Lists every fault: numbers out of range, unknown or missing arguments, values of a wrong type,
            parts that refuse their settings, an image size the model cannot take, a monitor that is not logged.
    """
    findings = list(_root_numbers(cfg))
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    if plain.get("trainer", {}).get("precision") == "auto":  # lesionseg's own word, see lesionseg/hardware.py
        del plain["trainer"]["precision"]
    for path, node in target_nodes(plain, ""):
        findings += [f"{path}: {text}" for text in _arguments(node)]
    if not findings:
        findings += _buildable(cfg)
    if not findings and "monitor" in cfg:
        findings += _monitor(cfg)
    raise_all("The configuration has faults:", findings)


def target_nodes(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Finds every node with a `_target_`, however deep, with its dotted path."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, child in node.items():
            yield from target_nodes(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from target_nodes(child, f"{path}[{index}]")


def _root_numbers(cfg: DictConfig) -> Iterator[str]:
    """Checks the ranges of the root's numbers."""
    for name, lowest in LOWEST.items():
        value = cfg.get(name)
        if value is not None and value < lowest:
            yield f"{name} is {value}; allowed: at least {lowest}"
    if "monitor_mode" in cfg and cfg.monitor_mode not in ("min", "max"):
        yield f"monitor_mode is {cfg.monitor_mode}; allowed: min, max"


def _arguments(node: Mapping[str, Any]) -> Iterator[str]:
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


def _buildable(cfg: DictConfig) -> Iterator[str]:
    """Builds the parts that are cheap to build, so that each can say what it refuses."""
    for name in ("data", "augmentation", "loss", "metrics", "callbacks"):
        if cfg.get(name) is not None:
            yield from _refusal(name, cfg[name], needs_files=name == "data" and "model" in cfg)
    if "model" in cfg:
        # On the meta device nothing is allocated, however large the network.
        with torch.device("meta"):
            refusals = list(_refusal("model", cfg.model))
        yield from refusals
        if not refusals:
            yield from _image_size(cfg)
        yield from _optimisation(cfg)


def _refusal(name: str, node: DictConfig, *, needs_files: bool = False) -> Iterator[str]:
    try:
        part = build(name, node)
        if needs_files:
            part.require()
    except InputError as error:
        yield str(error)


def _optimisation(cfg: DictConfig) -> Iterator[str]:
    """Tries optimizer and scheduler, which are built only once there are weights, on a weight of one number."""
    try:
        optimizer = build("optimizer", cfg.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        yield f"optimizer: {error}"
        return
    try:
        build("scheduler", cfg.scheduler)(optimizer, TrainingLength(total_steps=10, steps_per_epoch=1))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        yield f"scheduler: {error}"


def _image_size(cfg: DictConfig) -> Iterator[str]:
    """Checks that the deepest features are at least 2 x 2: a single value per channel has no variance to normalise."""
    with torch.device("meta"):
        stride = build("model", cfg.model).stride
    if cfg.image_size < 2 * stride:
        yield (
            f"image_size is {cfg.image_size}; this model halves it down by {stride}, allowed: at least {2 * stride}. "
            "Give a larger image_size, or a smaller model.depth or model.stem_stride"
        )


def _monitor(cfg: DictConfig) -> Iterator[str]:
    """Checks that the monitored value is one that the validation logs."""
    names = ["val/loss", *(f"val/loss_{term}" for term, node in cfg.loss.terms.items() if node is not None)]
    names += [f"val/{metric}" for metric, node in cfg.metrics.items() if node is not None]
    if cfg.monitor not in names:
        yield f"monitor is {cfg.monitor}, which is not logged; allowed: {', '.join(names)}"


def build(name: str, node: Any, **arguments: Any) -> Any:
    """Builds a configured part.

    Args:
        name: Its place in the configuration, for the message.
        node: With `_target_`, or a mapping of such nodes.
        arguments: Objects the configuration cannot hold.

    Raises:
        InputError: The part refuses its settings.
    """
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from None
        # Constructors only look at their settings, so whatever they raise is about these.
        raise InputError(f"{name}: {cause}") from error
