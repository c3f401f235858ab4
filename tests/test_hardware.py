"""The number format follows what the hardware has."""

import pytest
import torch

from lesionseg.hardware import fastest_precision


@pytest.mark.parametrize(
    ("accelerator", "gpu", "gpu_has_bf16", "cpu_has_bf16", "precision"),
    [
        ("auto", True, True, False, "bf16-mixed"),
        ("gpu", True, True, False, "bf16-mixed"),
        ("cuda", True, False, True, "16-mixed"),
        ("auto", True, False, True, "16-mixed"),
        ("auto", False, False, True, "bf16-mixed"),
        ("auto", False, False, False, "32-true"),
        ("cpu", True, True, True, "bf16-mixed"),
        ("cpu", True, True, False, "32-true"),
        ("tpu", False, False, True, "32-true"),
    ],
)
def test_the_precision_is_the_fastest_that_the_hardware_has(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, gpu: bool, gpu_has_bf16: bool, cpu_has_bf16: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: gpu_has_bf16)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu_has_bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert fastest_precision(accelerator) == precision


def test_apples_gpu_is_not_taken_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert fastest_precision("auto") == "32-true"
