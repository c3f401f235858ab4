"""Devices by name and in words, and the fastest number format of the hardware."""

import pytest
import torch

import lesionseg.system.device
from lesionseg.errors import InputError
from lesionseg.system.device import accelerator_faults, describe_device, fastest_precision, limit_threads, pick_device


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Test GPU {device.index}")


@pytest.mark.parametrize(
    ("name", "count", "device"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_name_gives_a_device_that_is_there(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int, device: str
) -> None:
    gpus(monkeypatch, count)
    assert pick_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("accelerator", "devices", "count", "message"),
    [
        ("gpu", 1, 0, "give trainer=cpu"),
        ("gpu", -1, 0, "give trainer=cpu"),
        ("cuda", "auto", 0, "give trainer=cpu"),
        ("gpu", 3, 2, "there is only cuda:0, cuda:1"),
        ("gpu", [0, 2], 2, "there is only cuda:0, cuda:1"),
    ],
)
def test_gpus_that_are_not_there_are_told(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, devices: object, count: int, message: str
) -> None:
    gpus(monkeypatch, count)
    (fault,) = accelerator_faults(accelerator, devices)
    assert message in fault


@pytest.mark.parametrize(
    ("accelerator", "devices", "count"),
    [("gpu", 2, 2), ("gpu", [1], 2), ("gpu", -1, 1), ("gpu", "auto", 1), ("cpu", 2, 0), ("auto", 1, 0)],
)
def test_what_is_there_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, devices: object, count: int
) -> None:
    gpus(monkeypatch, count)
    assert not list(accelerator_faults(accelerator, devices))


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cuda 0", "cpu:0", "mps"])
def test_other_names_are_refused_with_those_allowed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    gpus(monkeypatch, 1)
    with pytest.raises(InputError, match=rf"^device is {name}; allowed: auto .*, cpu, cuda or cuda:<number>$"):
        pick_device(name)


@pytest.mark.parametrize(
    ("name", "count", "found"),
    [
        ("cuda", 0, "PyTorch finds no GPU here"),
        ("cuda:2", 0, "PyTorch finds no GPU here"),
        ("cuda:2", 2, "there is only cuda:0, cuda:1"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused_with_what_is(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int, found: str
) -> None:
    gpus(monkeypatch, count)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(InputError, match=rf"^device is {name}, but {found}; give one that is there, or device=cpu$"):
        pick_device(name)


def test_a_pytorch_that_knows_no_gpu_is_told_apart_from_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InputError, match=r"device is cuda, but this PyTorch \(.*\) is built without CUDA"):
        pick_device("cuda")


@pytest.mark.parametrize(
    ("cores", "processor", "precision", "words"),
    [
        (2, "AMD EPYC", "bf16-mixed", "CPU (AMD EPYC), 2 cores, bf16"),
        (1, "AMD EPYC", "32-true", "CPU (AMD EPYC), 1 core, fp32"),
        (8, "", "fp32", "CPU, 8 cores, fp32"),
    ],
)
def test_a_cpu_in_words(
    monkeypatch: pytest.MonkeyPatch, cores: int, processor: str, precision: str, words: str
) -> None:
    monkeypatch.setattr(lesionseg.system.device, "usable_cores", lambda: cores)
    monkeypatch.setattr(lesionseg.system.device, "processor_name", lambda: processor)
    assert describe_device(torch.device("cpu"), precision) == words


@pytest.mark.parametrize(("precision", "short"), [("16-mixed", "fp16"), ("bf16", "bf16"), ("bf16-true", "bf16")])
def test_a_gpu_in_words(monkeypatch: pytest.MonkeyPatch, precision: str, short: str) -> None:
    gpus(monkeypatch, 2)
    assert describe_device(torch.device("cuda:1"), precision) == f"GPU (Test GPU 1), {short}"


def test_another_accelerator_in_words() -> None:
    assert describe_device(torch.device("mps"), "32-true") == "MPS, fp32"


@pytest.mark.parametrize(("before", "cores", "after"), [(8, 2, 2), (2, 8, 2), (4, 4, 4)])
def test_threads_are_cut_to_the_cores_and_never_raised(
    monkeypatch: pytest.MonkeyPatch, before: int, cores: int, after: int
) -> None:
    threads = [before]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(lesionseg.system.device, "usable_cores", lambda: cores)
    limit_threads()
    assert threads[-1] == after


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
