"""Trying a trainer's settings before any work: what Lightning refuses, and what it takes although it cannot work."""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from lesionseg.build import build
from lesionseg.cores import usable_cores
from lesionseg.errors import InputError

SILENT = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
"""Parts that a trainer would make of its own, and that write or print."""
FEW_PROCESSES = 8
"""On a CPU, so many may be tried out, however few its cores are."""
ANNOUNCER = "lightning.pytorch.utilities.rank_zero"
"""Lightning's logger of the device that a trainer has found."""


def trainer_faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Names what is wrong with a trainer's settings.

    Args:
        settings: Plain values of `conf/trainer`, with one of Lightning's own words for `precision`, or without one. A
            strategy that has settings of its own is not tried: it may look for the other machines of a cluster. Nor is
            a trainer on GPUs, which would take hold of them.
    """
    own = [*_time_faults(settings.get("max_time")), *_process_faults(settings)]
    yield from own
    if own or _has_gpus(settings) or isinstance(settings.get("strategy"), Mapping):
        return
    try:
        with _unannounced():
            # Not a batch job's own environment, whose processes the real trainer counts.
            build("trainer", settings, **SILENT, plugins=[LightningEnvironment()])
    except InputError as error:
        yield str(error)


def _time_faults(longest: Any) -> Iterator[str]:
    """Finds a time limit that is malformed, or over at once; a mapping of `days`, `hours` and so on is Lightning's."""
    is_written = isinstance(longest, str) and re.fullmatch(r"\d+:\d\d:\d\d:\d\d", longest)
    if longest is None or isinstance(longest, Mapping) or (is_written and re.search("[1-9]", longest)):
        return
    yield (
        f"trainer.max_time is {longest!r}; allowed: days:hours:minutes:seconds above 0, such as 00:00:10:00 for ten "
        "minutes, or null"
    )


def _process_faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Finds a number of processes that a CPU cannot run; GPUs are counted by `lesionseg.device.accelerator_faults`."""
    devices = settings.get("devices", "auto")
    if _has_gpus(settings):
        if devices in (0, "0", "", []):
            yield f"trainer.devices is {devices!r}; allowed: a number of GPUs from 1, -1 for all, or a list of theirs"
        return
    most = max(usable_cores(), FEW_PROCESSES)
    count = int(devices) if isinstance(devices, str) and devices.isdecimal() else devices
    if devices != "auto" and not (isinstance(count, int) and 1 <= count <= most):
        yield f"trainer.devices is {devices!r}; allowed on a CPU: 1 to {most} processes, or auto"


def _has_gpus(settings: Mapping[str, Any]) -> bool:
    """Tells whether the trainer will run on GPUs: those asked for, or found."""
    accelerator = settings.get("accelerator", "auto")
    found = torch.cuda.device_count() > 0 or torch.backends.mps.is_available()
    return accelerator in ("gpu", "cuda", "mps", "tpu") or (accelerator == "auto" and found)


@contextmanager
def _unannounced() -> Iterator[None]:
    """Keeps the trial quiet: the trainer that is built afterwards says the same."""
    announcer = logging.getLogger(ANNOUNCER)
    before = announcer.level
    announcer.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        announcer.setLevel(before)
