"""Rebuilding the segmenter and the data source that a checkpoint describes, for which nobody vouches.

No more memory is taken than the file justifies, and only classes of lesionseg are built, from plain values that fit
their constructors' types.
"""

import inspect
import re
import reprlib
import typing
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from inspect import isabstract, isclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

from lesionseg.checkpoint.layout import has_postprocessing, segmenter_state
from lesionseg.data.source import Source
from lesionseg.errors import InputError, raise_all
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing

LARGEST_STRIDE = 4096
"""Pixels; images are padded to multiples of a network's stride, and none is larger than this."""
MOST_MEMBERS = 100
"""Limit of an ensemble's members: ten folds with ten seeds each."""
DRAWING: tuple[Any, ...] = (Tensor.normal_, Tensor.uniform_, init.normal_, init.uniform_)
STRICT = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
"""Refuses values of another type (`True` or `"1"` for 1), infinity and NaN."""
PLAIN = (bool, int, float, str, type(None))

Built = TypeVar("Built")


def segmenter_of(checkpoint: Mapping[str, Any], *, plain: bool = False) -> Segmenter:
    """Rebuilds the segmenter with its weights (the averaged ones, if an average was kept) in evaluation mode.

    It is first built on the meta device, so that numbers in the file allocate nothing before its weights are known to
    fit. It gets the post-processing that was fitted or, if `plain`, the one that was configured.

    Raises:
        InputError: The stored configuration names anything but a network of `lesionseg.model`, does not fit the
            stored weights, or these are no finite numbers.
    """
    try:
        config = checkpoint["lesionseg"]["config"]
        with on_meta_device():
            segmenter = _untrained(config)
        weights = weights_for(segmenter, segmenter_state(checkpoint))
        if dict(segmenter.named_buffers()).keys() - weights.keys():  # buffers that are computed, not saved
            segmenter = _untrained(config)
        segmenter.load_state_dict(weights, assign=True)
        if has_postprocessing(checkpoint) and not plain:
            settings = checkpoint["lesionseg"]["decision"]["settings"]
            segmenter.postprocessing = build_strictly(Postprocessing, settings)
        if not (segmenter.std > 0).all():
            raise InputError(f"segmenter.std is {segmenter.std.flatten().tolist()}; allowed: above 0")
    except InputError as error:
        raise InputError(f"the checkpoint's model cannot be rebuilt: {error}") from error
    return segmenter.eval()


def _untrained(config: Mapping[str, Any]) -> Segmenter:
    """Builds the segmenter that a configuration describes."""
    network = _network(config["model"])
    stride = getattr(network, "stride", None)
    if type(stride) is not int or not 1 <= stride <= LARGEST_STRIDE:
        raise InputError(f"the file asks for {type(network).__name__}, which is no network: its stride is {stride}")
    return build_strictly(Segmenter, {"network": network, **config["segmenter"]})


def _network(node: Mapping[str, Any]) -> nn.Module:
    """Builds a network after the members of an ensemble, which are no ensembles themselves."""
    settings, members = dict(node), node.get("members")
    if isinstance(members, list) and all(isinstance(member, Mapping) for member in members):
        if len(members) > MOST_MEMBERS:
            raise InputError(f"the file asks for an ensemble of {len(members)} members; allowed: {MOST_MEMBERS}")
        settings["members"] = [build_named(member, nn.Module, "lesionseg.model") for member in members]
    return build_named(settings, nn.Module, "lesionseg.model")


def source_of(checkpoint: Mapping[str, Any]) -> Source:
    """Rebuilds the data source that the checkpoint was trained on.

    Raises:
        InputError: The stored configuration names anything but a source of `lesionseg.data`, or its root is gone.
    """
    return _source(checkpoint["lesionseg"]["config"]["data"])


def _source(node: Mapping[str, Any]) -> Source:
    """Builds a source after the sources that it combines, which are settings that map names to sources."""
    settings: dict[str, Any] = {name: value for name, value in node.items() if name != "_convert_"}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            settings[name] = {
                key: _source(child) if isinstance(child, Mapping) else child for key, child in value.items()
            }
    return build_named(settings, Source, "lesionseg.data")  # type: ignore[type-abstract]


def weights_for(model: nn.Module, stored: Mapping[str, Any]) -> dict[str, Tensor]:
    """Copies the tensors of a file that a model on the meta device takes, once all of them are known to fit.

    Returns:
        The model's state dict: of its names, shapes and types, contiguous on the CPU, finite, sharing no memory with
        the file. It takes no more memory than the file's tensors, unless their types are narrower than the model's.

    Raises:
        InputError: The message lists what does not fit; or a weight is no finite number.
    """
    wanted = model.state_dict()
    raise_all("the stored weights do not fit the stored configuration:", list(_misfits(wanted, stored)))
    _check_memory(stored.values())
    weights = {
        name: stored[name].detach().to(like.dtype, copy=True, memory_format=torch.contiguous_format)
        for name, like in wanted.items()
    }
    raise_all(
        "these weights are not finite (the training diverged, or the file is damaged); give an earlier checkpoint:",
        [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()],
    )
    return weights


def _misfits(wanted: Mapping[str, Tensor], stored: Mapping[str, Any]) -> Iterator[str]:
    """Finds tensors that are missing, superfluous, or of another kind, without looking at any number."""
    for name, like in wanted.items():
        found = stored.get(name)
        if name not in stored:
            yield f"{name} is missing"
        elif type(found) is not Tensor or found.layout != torch.strided or found.device.type != "cpu":
            yield f"{name} is no plain tensor of numbers in memory"
        elif found.shape != like.shape:
            yield f"{name} is {tuple(found.shape)}; the model takes {tuple(like.shape)}"
        elif found.dtype != like.dtype and not (found.is_floating_point() and like.is_floating_point()):
            yield f"{name} is of {found.dtype}; the model takes {like.dtype}"
    yield from (f"{name!r:.100} is not of the model" for name in stored if name not in wanted)


def _check_memory(tensors: Collection[Tensor]) -> None:
    """Refuses tensors that are views of the same few numbers, whose copies would take more memory than the file."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if needed > sum(storages.values()):
        raise InputError(f"the weights repeat the same {sum(storages.values())} bytes up to {needed}")


class _DrawingNothing(TorchFunctionMode):
    """Skips random initialisation, for which torch would load its compiler in 1.3 s even on the meta device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in DRAWING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def on_meta_device() -> Iterator[None]:
    """Builds the modules of the block with shapes but without numbers, so that they take no memory and no time."""
    with torch.device("meta"), _DrawingNothing():
        yield


def build_named(node: Mapping[str, Any], kind: type[Built], package: str) -> Built:
    """Builds an object of one of lesionseg's classes that a file names as `_target_`.

    A name is no proof (`lesionseg.x.sys.exit` is `sys.exit`), so the object that it resolves to must be a class of the
    wanted kind that is defined in a module directly in `package`. Arguments must be plain values of its constructor's
    types, or objects of the same kind that were built in the same way; `${oc.env:HOME}` stays a text.

    Raises:
        InputError: Any of this does not hold, or the class refuses its arguments.
    """
    target = str(node.get("_target_"))
    found = _named_class(target, kind, package)
    arguments = {name: value for name, value in node.items() if name != "_target_"}
    if any(str(name).startswith("_") or not _is_plain(value, kind) for name, value in arguments.items()):
        raise InputError(f"the file gives {target} nested settings; allowed: plain values")
    return build_strictly(found, arguments)


def build_strictly(found: type[Built], arguments: Mapping[str, Any]) -> Built:
    """Builds an object from plain values that fit its constructor's annotations.

    Raises:
        InputError: They do not fit, or the constructor refuses them.
    """
    name = f"{found.__module__}.{found.__qualname__}"
    raise_all(f"{name} cannot be built as the file asks:", list(_faults(found, arguments)))
    try:
        return found(**arguments)
    except Exception as error:  # a number that nobody thought of may end in any type of error
        raise InputError(f"{name} cannot be built as the file asks: {error}") from error


def _named_class(target: str, kind: type[Built], package: str) -> type[Built]:
    """Finds the class that a file names, if a file may name it."""
    if not re.fullmatch(re.escape(package) + r"\.[a-z][a-z0-9_]*\.[A-Z][A-Za-z0-9]*", target):
        raise InputError(f"the file asks for {reprlib.repr(target)}; allowed: a class in a module of {package}")
    module_name, class_name = target.rsplit(".", 1)
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ModuleNotFoundError as error:
        raise InputError(f"the file asks for {target}; this lesionseg has no {module_name}") from error
    if not isclass(found) or not issubclass(found, kind) or isabstract(found) or found.__module__ != module_name:
        raise InputError(f"the file asks for {target}, which is no {kind.__name__} defined in {module_name}")
    return found


def _is_plain(value: Any, kind: type[Any]) -> bool:
    """Tells plain values, and mappings or lists of objects that have been built, from anything else."""
    if isinstance(value, Mapping):
        return all(child is None or isinstance(child, kind) for child in value.values())
    if isinstance(value, list | tuple):
        return all(isinstance(item, (kind, *PLAIN)) for item in value)
    return isinstance(value, PLAIN)


def _faults(found: type[Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    """Compares arguments with a constructor's names and types."""
    allowed = inspect.signature(found).parameters
    annotations = typing.get_type_hints(found.__init__)
    for name, value in arguments.items():
        if name not in allowed:
            yield f"it has no argument {reprlib.repr(name)}; allowed: {', '.join(allowed)}"
        elif name in annotations:
            yield from _wrong_type(name, value, annotations[name])
    needed = (name for name, parameter in allowed.items() if parameter.default is parameter.empty)
    yield from (f"its argument {name} is missing" for name in needed if name not in arguments)


def _wrong_type(name: str, value: Any, annotation: Any) -> Iterator[str]:
    """Compares one value with its annotation; a path is saved as text."""
    choices = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal and type(value) not in map(type, choices):
        yield f"{name} is {reprlib.repr(value)}; allowed: {', '.join(map(str, choices))}"  # True is no 1
        return
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=STRICT)
    takes_path = Path in (annotation, *choices)
    try:
        adapter.validate_python(Path(value) if takes_path and isinstance(value, str) else value)
    except ValidationError as error:
        reasons = dict.fromkeys(fault["msg"] for fault in error.errors())
        yield f"{name} is {reprlib.repr(value)}: {' or '.join(reasons)}"
