"""The largest batch: found by doubling against a memory that is known, and tried out on copies."""

import copy
from collections.abc import Callable

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.errors import InputError
from lesionseg.loss.bce import BCELoss
from lesionseg.loss.combined import CombinedLoss
from lesionseg.model.segmenter import Segmenter
from lesionseg.training import batch_size
from lesionseg.training.batch_size import find_batch_size, fits_on_gpu, largest_batch, take_steps

GPU = torch.device("cuda:0")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def memory(total: int, *, model: int, image: int) -> tuple[Callable[[int], bool], list[int]]:
    """A device of so many bytes, on which a model takes some and each image some more; notes what it is asked."""
    asked: list[int] = []

    def fits(images: int) -> bool:
        asked.append(images)
        return model + images * image <= total

    return fits, asked


@pytest.mark.parametrize(
    ("total", "found"),
    [
        (100 + 1 * 10, 1),
        (100 + 2 * 10 - 1, 1),
        (100 + 2 * 10, 2),
        (100 + 15 * 10, 8),
        (100 + 16 * 10, 16),
        (100 + 31 * 10, 16),
        (100 + 100 * 10, 64),
    ],
)
@pytest.mark.parametrize("start", [1, 4, 16, 20, 512])
def test_it_is_the_largest_power_of_two_for_which_there_is_memory(total: int, found: int, start: int) -> None:
    fits, asked = memory(total, model=100, image=10)
    assert largest_batch(fits, start=start, most=1024) == found
    assert all(size & (size - 1) == 0 for size in asked)
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(("most", "found"), [(1, 1), (3, 2), (64, 64), (100, 64)])
def test_more_than_is_of_use_is_not_even_tried(most: int, found: int) -> None:
    fits, asked = memory(10**9, model=0, image=1)
    assert largest_batch(fits, start=16, most=most) == found
    assert max(asked) == found


def test_where_not_even_one_image_fits_it_says_what_to_lower() -> None:
    fits, asked = memory(100, model=99, image=2)
    with pytest.raises(InputError, match=r"image_size, model\.base_channels or model\.depth"):
        largest_batch(fits, start=16, most=64)
    assert asked == [16, 8, 4, 2, 1]


@pytest.mark.parametrize(("start", "most"), [(0, 1), (1, 0)])
def test_nothing_below_one_image_is_searched(start: int, most: int) -> None:
    with pytest.raises(ValueError, match="allowed: at least 1 each"):
        largest_batch(lambda _: True, start=start, most=most)


@pytest.fixture
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Conv2d(2, 1, 1))
    network.stride = 1  # type: ignore[assignment]
    return Segmenter(network, mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)


@pytest.fixture
def loss() -> CombinedLoss:
    return CombinedLoss(terms={"bce": BCELoss(positive_weight=1.0)}, weights={"bce": 1.0})


def test_on_a_cpu_it_is_refused_with_what_to_give_instead(segmenter: Segmenter, loss: CombinedLoss) -> None:
    with pytest.raises(InputError, match=r"this is a CPU.*batch_size a number, such as 16"):
        find_batch_size(
            segmenter,
            loss,
            torch.optim.Adam,
            image_size=32,
            images=100,
            precision="32-true",
            device=torch.device("cpu"),
        )


def test_a_precision_that_it_cannot_try_is_refused(segmenter: Segmenter, loss: CombinedLoss) -> None:
    with pytest.raises(InputError, match=r"trainer\.precision=64-true; allowed: 32-true, bf16-mixed, 16-mixed"):
        find_batch_size(segmenter, loss, torch.optim.Adam, image_size=32, images=100, precision="64-true", device=GPU)


@pytest.mark.parametrize(("images", "most"), [(2000, 128), (95, 8), (5, 1)])
def test_an_epoch_keeps_ten_steps_however_large_the_memory(
    segmenter: Segmenter, loss: CombinedLoss, monkeypatch: pytest.MonkeyPatch, images: int, most: int
) -> None:
    monkeypatch.setattr(batch_size, "fits_on_gpu", lambda *_, **__: True)
    found = find_batch_size(
        segmenter, loss, torch.optim.Adam, image_size=32, images=images, precision="32-true", device=GPU
    )
    assert found == most


def test_a_gpu_without_a_number_is_the_current_one(
    segmenter: Segmenter, loss: CombinedLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried_on = []

    def fits(*_: object, device: torch.device, **__: object) -> bool:
        tried_on.append(device)
        return True

    monkeypatch.setattr(batch_size, "fits_on_gpu", fits)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    settings = {"image_size": 32, "images": 10, "precision": "32-true", "device": torch.device("cuda")}
    find_batch_size(segmenter, loss, torch.optim.Adam, **settings)  # type: ignore[arg-type]
    assert tried_on == [torch.device("cuda:3")]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_steps_train_a_copy_and_leave_weights_statistics_and_random_numbers(
    segmenter: Segmenter, loss: CombinedLoss, precision: str
) -> None:
    seen, before = [], copy.deepcopy(segmenter.state_dict())

    def optimizer(groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        made = torch.optim.Adam(groups)
        made.register_step_post_hook(lambda *_: seen.append(len(groups)))
        return made

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    take_steps(segmenter, loss, optimizer, shape=(2, 32), precision=precision, device=torch.device("cpu"))
    assert len(seen) == 2
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(before[name], value) for name, value in segmenter.state_dict().items())
    assert all(parameter.grad is None for parameter in segmenter.parameters())


class FakeGpu:
    """What is asked of `torch.cuda` around the steps, in GB: 80 in all, of which another program has 30."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shares: list[float] = []
        self.emptied = 0
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (48, 80))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 2)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
        monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share, _: self.shares.append(share))
        monkeypatch.setattr(torch.cuda, "empty_cache", self._empty)

    def _empty(self) -> None:
        self.emptied += 1


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    return FakeGpu(monkeypatch)


def tried(monkeypatch: pytest.MonkeyPatch, segmenter: Segmenter, error: Exception | None) -> bool:
    def steps(*_: object, **__: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(batch_size, "take_steps", steps)
    return fits_on_gpu(segmenter, nn.Identity(), torch.optim.Adam, shape=(1, 32), precision="32-true", device=GPU)


def test_a_tenth_of_the_device_is_spared_and_what_others_have_is_not_counted_on(
    segmenter: Segmenter, fake_gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tried(monkeypatch, segmenter, None)
    assert fake_gpu.shares == [pytest.approx((48 + 2 - 8) / 80), 1.0]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_want_of_memory_is_an_answer_and_what_was_taken_is_given_back(
    segmenter: Segmenter, fake_gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert not tried(monkeypatch, segmenter, error)
    assert fake_gpu.emptied == 1
    assert fake_gpu.shares[-1] == 1.0


def test_any_other_error_is_not_taken_for_want_of_memory(
    segmenter: Segmenter, fake_gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="an illegal memory access"):
        tried(monkeypatch, segmenter, RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert fake_gpu.shares[-1] == 1.0


@pytest.fixture
def unet() -> Segmenter:
    settings = OmegaConf.merge(OmegaConf.load(CONF / "model" / "unet.yaml"), {"base_channels": 8, "depth": 2})
    return Segmenter(build("model", settings), mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)


@needs_gpu
def test_a_gpu_takes_a_small_batch_refuses_a_huge_one_and_has_its_memory_back(
    unet: Segmenter, loss: CombinedLoss
) -> None:
    torch.cuda.init()  # type: ignore[no-untyped-call]
    before = torch.cuda.memory_allocated(GPU)
    settings = {"precision": "bf16-mixed", "device": GPU}
    assert fits_on_gpu(unet, loss, torch.optim.Adam, shape=(1, 64), **settings)  # type: ignore[arg-type]
    total = torch.cuda.get_device_properties(GPU).total_memory
    huge = total // (512 * 512 * 3)  # the images alone, as bytes, fill it
    assert not fits_on_gpu(unet, loss, torch.optim.Adam, shape=(huge, 512), **settings)  # type: ignore[arg-type]
    assert torch.cuda.memory_allocated(GPU) == before
    assert next(unet.parameters()).device.type == "cpu"


@needs_gpu
def test_the_batch_that_is_found_trains_with_memory_to_spare(unet: Segmenter, loss: CombinedLoss) -> None:
    settings = {"image_size": 512, "precision": "bf16-mixed", "device": GPU}
    found = find_batch_size(unet, loss, torch.optim.Adam, images=10**7, **settings)  # type: ignore[arg-type]
    torch.cuda.reset_peak_memory_stats(GPU)
    take_steps(unet, loss, torch.optim.Adam, shape=(found, 512), precision="bf16-mixed", device=GPU)
    peak, total = torch.cuda.max_memory_allocated(GPU), torch.cuda.get_device_properties(GPU).total_memory
    assert 0.3 * total < peak < 0.9 * total
