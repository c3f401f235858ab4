"""Number formats that are fast on this machine."""

import torch

HALF_PRECISION = (7, 0)
"""CUDA compute capability of the first GPUs that multiply fp16 faster than fp32 (Volta, with its tensor cores)."""


def fastest_precision(accelerator: str) -> str:
    """Picks Lightning's `precision` for the hardware: bf16 where it is native, fp16 on GPUs that only have that.

    Where neither is faster than fp32, it is fp32: older GPUs and CPUs only emulate the short formats, and on Apple's
    GPU they have not been measured.

    Args:
        accelerator: Lightning's setting: `auto`, `cpu`, `gpu`, `cuda` or another.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return _fastest_on_gpu()
    if accelerator in ("auto", "cpu") and not torch.backends.mps.is_available() and _cpu_has_bf16():
        return "bf16-mixed"
    return "32-true"


def _fastest_on_gpu() -> str:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16-mixed"
    return "16-mixed" if torch.cuda.get_device_capability() >= HALF_PRECISION else "32-true"


def _cpu_has_bf16() -> bool:
    """Tells whether the CPU multiplies bf16 in hardware (AVX512-BF16 or AMX) and this PyTorch can make use of it."""
    instructions = torch.cpu.get_capabilities()
    has = bool(instructions.get("avx512_bf16") or instructions.get("amx_bf16"))
    # oneDNN's convolutions are what uses these instructions.
    return has and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
