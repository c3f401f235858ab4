"""Building modules whose parameters have shapes but no numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

DRAWING: tuple[Any, ...] = (Tensor.normal_, Tensor.uniform_, init.normal_, init.uniform_)


class _DrawingNothing(TorchFunctionMode):
    """Skips random numbers: without memory there are none to draw, but torch loads its compiler for it, for 1.3 s."""

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
def without_memory() -> Iterator[None]:
    """Makes modules that are built in the block take no memory and no time, however large they are."""
    with torch.device("meta"), _DrawingNothing():
        yield
