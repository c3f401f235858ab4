"""Keeps what exporters say about themselves from the user."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

CHATTER = (
    "torch.onnx._internal.exporter._registration",  # that torchvision, which nothing here uses, is not installed
    "onnxscript",  # what its optimiser removes
    "onnx_ir",  # likewise
)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences warnings that nobody but torch's developers could do anything about."""
    loggers = [logging.getLogger(name) for name in CHATTER]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # torch 2.13 copies its own tree specifications in a way that it has itself deprecated.
        warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
