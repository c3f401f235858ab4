"""From stored tensors to the tensors of a model that has none yet."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lesionseg.errors import InputError, raise_all


def weights_for(model: nn.Module, stored: Mapping[str, Any]) -> dict[str, Tensor]:
    """Copies the stored tensors that a model takes, once all of them are known to fit.

    Args:
        model: On the meta device, so that a file that asks for a huge one allocates nothing.
        stored: What the file has for it.

    Returns:
        The model's state dict: of its names, shapes and types, contiguous on the CPU, finite, sharing no memory with
        the file. It takes no more memory than the stored tensors, but for types that take less room than the model's.

    Raises:
        InputError: Lists what does not fit; or a weight is no finite number.
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
    """Finds what is missing, too much, or of another kind, without looking at any number."""
    for name, like in wanted.items():
        if name not in stored:
            yield f"{name} is missing"
        else:
            yield from _misfit(name, like, stored[name])
    yield from (f"{name!r:.100} is not of the model" for name in stored if name not in wanted)


def _misfit(name: str, like: Tensor, found: Any) -> Iterator[str]:
    """Compares one tensor with the one in whose place it is to be."""
    if type(found) is not Tensor or found.layout != torch.strided or found.device.type != "cpu":
        yield f"{name} is no plain tensor of numbers in memory"
    elif found.shape != like.shape:
        yield f"{name} is {tuple(found.shape)}; the model takes {tuple(like.shape)}"
    elif found.dtype != like.dtype and not (found.is_floating_point() and like.is_floating_point()):
        yield f"{name} is of {found.dtype}; the model takes {like.dtype}"


def _check_memory(tensors: Any) -> None:
    """Makes sure that copies take no more room than what is copied: tensors may be views of the same few numbers."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if needed > sum(storages.values()):
        raise InputError(f"the weights repeat the same {sum(storages.values())} bytes up to {needed}")


def _copy(found: Tensor, like: Tensor) -> Tensor:
    return found.detach().to(like.dtype, copy=True, memory_format=torch.contiguous_format)
