"""What a network runs on: chosen by name, told in words, and not asked for more threads than it has cores."""

from collections.abc import Iterator
from typing import Any

import torch

from lesionseg.errors import InputError
from lesionseg.system.cores import usable_cores
from lesionseg.system.processor import processor_name

ALLOWED = "auto (a GPU if there is one), cpu, cuda or cuda:<number>"


def pick_device(name: str) -> torch.device:
    """Turns a setting into a device that is there.

    Args:
        name: `auto` (the first GPU if there is one, else the CPU), `cpu`, `cuda` or `cuda:<number>`.

    Raises:
        InputError: It is none of these, or there is no such GPU.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (name == "cuda" or (number.isascii() and number.isdigit())):
        raise InputError(f"device is {name}; allowed: {ALLOWED}")
    if int(number or 0) >= torch.cuda.device_count():
        raise InputError(f"device is {name}, but {_gpus_found()}; give one that is there, or device=cpu")
    return torch.device("cuda", int(number or 0))


def accelerator_faults(accelerator: str, devices: Any) -> Iterator[str]:
    """Finds GPUs that a trainer asks for and that are not there.

    Args:
        accelerator: As Lightning's Trainer takes it, for example `auto`, `cpu` or `gpu`.
        devices: Likewise: a number of them, -1 for all, a list of numbers, or `auto`.
    """
    if accelerator not in ("gpu", "cuda") or (accelerator == "gpu" and torch.backends.mps.is_available()):
        return
    count = torch.cuda.device_count()
    wanted = max(devices) + 1 if isinstance(devices, list) and devices else devices
    if not count or (isinstance(wanted, int) and wanted > count):
        asked = f"trainer.accelerator is {accelerator} and trainer.devices {devices}"
        yield f"{asked}, but {_gpus_found()}; give trainer=cpu, or the GPUs that are there (trainer.devices=...)"


def describe_device(device: torch.device, precision: str) -> str:
    """Tells in words what a network runs on, for example `CPU (AMD EPYC 9B14), 2 cores, bf16`.

    Args:
        device: Of the network.
        precision: `fp32`, `bf16` or `fp16`, or Lightning's word for it, such as `bf16-mixed` or `32-true`.
    """
    if device.type == "cpu":
        cores = usable_cores()
        place = f"CPU{_in_brackets(processor_name())}, {cores} core{'s' * (cores != 1)}"
    elif device.type == "cuda":
        place = f"GPU{_in_brackets(torch.cuda.get_device_name(device))}"
    else:
        place = device.type.upper()
    return f"{place}, {_short(precision)}"


def limit_threads() -> None:
    """Keeps PyTorch from starting more threads than there are cores to run them, as it does in a container.

    Fewer, as set by the user in OMP_NUM_THREADS, stay fewer.
    """
    if torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())


def _gpus_found() -> str:
    """Says what there is instead; a GPU without a PyTorch that can use it is a common mistake."""
    count = torch.cuda.device_count()
    if count:
        return f"there is only {', '.join(f'cuda:{index}' for index in range(count))}"
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is built without CUDA"
    return "PyTorch finds no GPU here"


def _in_brackets(name: str) -> str:
    return f" ({name})" if name else ""


def _short(precision: str) -> str:
    """Shortens Lightning's words: `bf16-mixed` to bf16, `32-true` to fp32."""
    short = precision.removesuffix("-mixed").removesuffix("-true")
    return f"fp{short}" if short.isdigit() else short
