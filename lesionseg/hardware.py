"""Number formats that are fast on this machine."""

import torch


def fastest_precision(accelerator: str) -> str:
    """Picks Lightning's `precision` for the hardware: bf16 where it is native, else fp32.

    Args:
        accelerator: Lightning's setting: `auto`, `cpu`, `gpu`, `cuda` or another.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if accelerator in ("auto", "cpu") and not torch.backends.mps.is_available() and _cpu_has_bf16():
        return "bf16-mixed"
    return "32-true"


def _cpu_has_bf16() -> bool:
    """Tells whether the CPU multiplies bf16 in hardware (AVX512-BF16 or AMX)."""
    return bool(torch.cpu._is_avx512_bf16_supported())
