"""Rebuilding the segmenter and the data source that a checkpoint describes, in memory that its file justifies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

from lesionseg.checkpoint.layout import has_postprocessing, section, segmenter_state
from lesionseg.checkpoint.safe_build import build_named, build_strictly
from lesionseg.data.source import Source
from lesionseg.errors import InputError, raise_all
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing

LARGEST_STRIDE = 4096
"""Pixels; images are padded to multiples of a network's stride, and none is larger than this."""
MOST_MEMBERS = 100
"""Limit of an ensemble's members: ten folds with ten seeds each."""
DRAWING: tuple[Any, ...] = (Tensor.normal_, Tensor.uniform_, init.normal_, init.uniform_)


def segmenter_of(checkpoint: Mapping[str, Any], *, plain: bool = False) -> Segmenter:
    """Rebuilds the segmenter with its weights (the averaged ones, if an average was kept) in evaluation mode.

    It is first built on the meta device, so that numbers in the file allocate nothing before its weights are known to
    fit.

    Args:
        checkpoint: Contents as `lesionseg.checkpoint.reading.read` returns them.
        plain: Use the post-processing that was configured instead of the one that was fitted.

    Raises:
        InputError: The stored configuration names anything but a network of `lesionseg.model`, does not fit the
            stored weights, or these are no finite numbers.
    """
    try:
        config = section(checkpoint, "lesionseg", "config")
        with on_meta_device():
            segmenter = _untrained(config)
        weights = weights_for(segmenter, segmenter_state(checkpoint))
        if dict(segmenter.named_buffers()).keys() - weights.keys():  # buffers that are computed, not saved
            segmenter = _untrained(config)
        segmenter.load_state_dict(weights, assign=True)
        if has_postprocessing(checkpoint) and not plain:
            settings = section(checkpoint, "lesionseg", "decision", "settings")
            segmenter.postprocessing = build_strictly(Postprocessing, settings)
        if not (segmenter.std > 0).all():
            raise InputError(f"segmenter.std is {segmenter.std.flatten().tolist()}; allowed: above 0")
    except InputError as error:
        raise InputError(f"the checkpoint's model cannot be rebuilt: {error}") from error
    return segmenter.eval()


def _untrained(config: Mapping[str, Any]) -> Segmenter:
    """Builds the segmenter that a configuration describes."""
    network = _network(section(config, "model"))
    stride = getattr(network, "stride", None)
    if type(stride) is not int or not 1 <= stride <= LARGEST_STRIDE:
        raise InputError(f"the file asks for {type(network).__name__}, which is no network: its stride is {stride}")
    return build_strictly(Segmenter, {"network": network, **section(config, "segmenter")})


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
    return _source(section(checkpoint, "lesionseg", "config", "data"))


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
    """Copies the tensors of a file that a model takes, once all of them are known to fit.

    Args:
        model: Model on the meta device, so that a file that asks for a huge one allocates nothing.
        stored: Tensors of the file.

    Returns:
        The model's state dict: of its names, shapes and types, contiguous on the CPU, finite, sharing no memory with
        the file. It takes no more memory than the file's tensors, unless their types are narrower than the model's.

    Raises:
        InputError: The message lists what does not fit; or a weight is no finite number.
    """
    wanted = model.state_dict()
    raise_all("the stored weights do not fit the stored configuration:", list(_misfits(wanted, stored)))
    _check_memory(stored.values())
    weights = {name: _copy(stored[name], like) for name, like in wanted.items()}
    damaged = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    raise_all(
        "these weights are not finite (the training diverged, or the file is damaged); give an earlier checkpoint:",
        damaged,
    )
    return weights


def _misfits(wanted: Mapping[str, Tensor], stored: Mapping[str, Any]) -> Iterator[str]:
    """Finds tensors that are missing, superfluous, or of another kind, without looking at any number."""
    for name, like in wanted.items():
        if name not in stored:
            yield f"{name} is missing"
        else:
            yield from _misfit(name, like, stored[name])
    yield from (f"{name!r:.100} is not of the model" for name in stored if name not in wanted)


def _misfit(name: str, like: Tensor, found: Any) -> Iterator[str]:
    if type(found) is not Tensor or found.layout != torch.strided or found.device.type != "cpu":
        yield f"{name} is no plain tensor of numbers in memory"
    elif found.shape != like.shape:
        yield f"{name} is {tuple(found.shape)}; the model takes {tuple(like.shape)}"
    elif found.dtype != like.dtype and not (found.is_floating_point() and like.is_floating_point()):
        yield f"{name} is of {found.dtype}; the model takes {like.dtype}"


def _check_memory(tensors: Any) -> None:
    """Refuses tensors that are views of the same few numbers, whose copies would take more memory than the file."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if needed > sum(storages.values()):
        raise InputError(f"the weights repeat the same {sum(storages.values())} bytes up to {needed}")


def _copy(found: Tensor, like: Tensor) -> Tensor:
    return found.detach().to(like.dtype, copy=True, memory_format=torch.contiguous_format)


class _DrawingNothing(TorchFunctionMode):
    """Skips random initialisation, for which torch would load its compiler in 1.3 s even on the meta device."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in DRAWING:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def on_meta_device() -> Iterator[None]:
    """Builds the modules of the block with shapes but without numbers, so that they take no memory and no time."""
    with torch.device("meta"), _DrawingNothing():
        yield
