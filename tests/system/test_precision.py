"""The number format follows what the hardware has."""

import pytest
import torch

from lesionseg.system.precision import fastest_precision

AVX512_BF16, AMX_BF16, NEITHER = {"avx512_bf16": True}, {"amx_bf16": True}, {"avx512_bf16": False, "avx512_f": True}
AMPERE, TURING, VOLTA, PASCAL, NO_GPU = (8, 0), (7, 5), (7, 0), (6, 1), None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Makes torch find another CPU and GPU, the latter by CUDA's compute capability."""

    def pretend(cpu: dict[str, bool], gpu: tuple[int, int] | None, *, apple: bool = False, onednn: bool = True) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: gpu)
        # As torch has it: native from Ampere on, emulated before.
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or gpu >= AMPERE
        )
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)

    return pretend


@pytest.mark.parametrize(
    ("accelerator", "cpu", "gpu", "precision"),
    [
        ("auto", NEITHER, AMPERE, "bf16-mixed"),
        ("gpu", NEITHER, AMPERE, "bf16-mixed"),
        ("cuda", AVX512_BF16, TURING, "16-mixed"),
        ("auto", AVX512_BF16, VOLTA, "16-mixed"),
        ("auto", AVX512_BF16, PASCAL, "32-true"),
        ("auto", AVX512_BF16, NO_GPU, "bf16-mixed"),
        ("auto", AMX_BF16, NO_GPU, "bf16-mixed"),
        ("auto", NEITHER, NO_GPU, "32-true"),
        ("cpu", AVX512_BF16, AMPERE, "bf16-mixed"),
        ("cpu", NEITHER, AMPERE, "32-true"),
        ("cpu", {"neon": True}, NO_GPU, "32-true"),
        ("tpu", AVX512_BF16, NO_GPU, "32-true"),
    ],
)
def test_the_precision_is_the_fastest_that_the_hardware_has(
    machine, accelerator: str, cpu: dict[str, bool], gpu: tuple[int, int] | None, precision: str
) -> None:  # type: ignore[no-untyped-def]
    machine(cpu, gpu)
    assert fastest_precision(accelerator) == precision


def test_a_pytorch_without_onednn_does_not_use_the_cpus_bf16(machine) -> None:  # type: ignore[no-untyped-def]
    machine(AVX512_BF16, NO_GPU, onednn=False)
    assert fastest_precision("cpu") == "32-true"


def test_apples_gpu_is_not_taken_for_the_cpu(machine) -> None:  # type: ignore[no-untyped-def]
    machine(AVX512_BF16, NO_GPU, apple=True)
    assert fastest_precision("auto") == "32-true"


def test_what_torch_says_of_this_cpu_is_understood() -> None:
    """The names of instructions are torch's: a new one would silently turn bf16 off."""
    if torch.cpu.get_capabilities()["architecture"] == "x86_64":
        assert {"avx512_bf16", "amx_bf16"} <= torch.cpu.get_capabilities().keys()
