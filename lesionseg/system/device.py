"""The device and the number format that a network runs on."""

from collections.abc import Iterator
from typing import Any

import torch

from lesionseg.errors import InputError
from lesionseg.system.machine import processor_name, usable_cores

ALLOWED = "auto (a GPU if there is one), cpu, cuda or cuda:<number>"
FIRST_WITH_FAST_FP16 = (7, 0)
"""CUDA compute capability of the first GPUs that multiply fp16 faster than fp32 (Volta, with its tensor cores)."""


def pick_device(name: str) -> torch.device:
    """Returns the device that a setting names: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.

    Raises:
        InputError: The name is none of these, or there is no such GPU.
    """
    if name in ("auto", "cpu"):
        return torch.device("cuda:0" if name == "auto" and torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (name == "cuda" or (number.isascii() and number.isdigit())):
        raise InputError(f"device is {name}; allowed: {ALLOWED}")
    if int(number or 0) >= torch.cuda.device_count():
        raise InputError(f"device is {name}, but {_gpus_found()}; give one that is there, or device=cpu")
    return torch.device("cuda", int(number or 0))


def accelerator_faults(accelerator: str, devices: Any) -> Iterator[str]:
    """Finds GPUs that Lightning's `trainer.accelerator` and `trainer.devices` ask for and the machine lacks."""
    if accelerator not in ("gpu", "cuda") or (accelerator == "gpu" and torch.backends.mps.is_available()):
        return
    count = torch.cuda.device_count()
    wanted = max(devices) + 1 if isinstance(devices, list) and devices else devices
    if not count or (isinstance(wanted, int) and wanted > count):
        asked = f"trainer.accelerator is {accelerator} and trainer.devices {devices}"
        yield f"{asked}, but {_gpus_found()}; give trainer=cpu, or the GPUs that are there (trainer.devices=...)"


def fastest_precision(accelerator: str) -> str:
    """Picks Lightning's `precision` for an accelerator: bf16 where it is native, fp16 on GPUs that only have that.

    All else gets fp32: older GPUs and CPUs emulate the short formats, and on Apple's GPU they have not been measured.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return _fastest_on_gpu()
    if accelerator in ("auto", "cpu") and not torch.backends.mps.is_available() and _cpu_has_bf16():
        return "bf16-mixed"
    return "32-true"


def describe_device(device: torch.device, precision: str) -> str:
    """Describes what a network runs on, for example `CPU (AMD EPYC 9B14), 2 cores, bf16`.

    Lightning's words for the precision, such as `bf16-mixed` or `32-true`, are shortened to bf16 and fp32.
    """
    if device.type == "cpu":
        cores = usable_cores()
        place = f"CPU{_in_brackets(processor_name())}, {cores} core{'s' * (cores != 1)}"
    elif device.type == "cuda":
        place = f"GPU{_in_brackets(torch.cuda.get_device_name(device))}"
    else:
        place = device.type.upper()
    short = precision.removesuffix("-mixed").removesuffix("-true")
    return f"{place}, {f'fp{short}' if short.isdigit() else short}"


def limit_threads() -> None:
    """Lowers PyTorch's number of threads to the usable cores, which PyTorch overestimates in a container."""
    if torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())


def _gpus_found() -> str:
    """Names the GPUs that PyTorch finds, and tells where it was built without CUDA, a common mistake."""
    count = torch.cuda.device_count()
    if count:
        return f"there is only {', '.join(f'cuda:{index}' for index in range(count))}"
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is built without CUDA"
    return "PyTorch finds no GPU here"


def _in_brackets(name: str) -> str:
    return f" ({name})" if name else ""


def _fastest_on_gpu() -> str:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16-mixed"
    return "16-mixed" if torch.cuda.get_device_capability() >= FIRST_WITH_FAST_FP16 else "32-true"


def _cpu_has_bf16() -> bool:
    """Returns whether the CPU multiplies bf16 in hardware (AVX512-BF16 or AMX) and this PyTorch uses it."""
    instructions = torch.cpu.get_capabilities()
    has = bool(instructions.get("avx512_bf16") or instructions.get("amx_bf16"))
    # The convolutions of oneDNN use these instructions.
    return has and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
