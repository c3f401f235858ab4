"""`batch_size=auto`: the largest batch that a GPU trains on without running out of memory.

Lightning's `BatchSizeFinder` searches within a training, once its configuration has been written and its network
compiled for a batch; it spares no memory, and takes cuDNN's and cuBLAS' failed allocations for faults.
"""

import copy
import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch.utilities.memory import is_oom_error
from omegaconf import DictConfig
from torch import nn

from lesionseg.config.build import build
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter
from lesionseg.system.device import fastest_precision
from lesionseg.system.processes import takes_processes
from lesionseg.training.module import SegmentationModule
from lesionseg.training.optimizer import OptimizerFactory, PlainStep, random_batch

log = logging.getLogger(__name__)

START = 16
"""Images of the first trial."""
SPARED = 0.1
"""Share of the device's memory that stays free: for fragmentation, averaged weights and odd sizes."""
STEPS = 2
"""The optimizer's state is made in the first, and is there beside the gradients in the second."""
LEAST_STEPS_AN_EPOCH = 10
"""However much memory there is: a batch of all images would train one step an epoch."""
FORMATS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""Autocast dtype of a forward pass by Lightning's name of the precision."""


def batch_size_for(cfg: DictConfig, module: SegmentationModule, *, images: int) -> int:
    """Tries out which batch a training of so many images can have, before it takes any memory itself.

    Raises:
        InputError: It does not train on one GPU, or see `find_batch_size`.
    """
    if takes_processes(cfg) or module.loss is None:
        raise InputError("batch_size=auto tries one GPU; give trainer.devices=1, or batch_size a number")
    accelerator, precision = cfg.trainer.accelerator, cfg.trainer.precision
    return find_batch_size(
        module.segmenter,
        module.loss,
        build("optimizer", cfg.optimizer),
        image_size=cfg.image_size,
        images=images,
        precision=fastest_precision(accelerator) if precision == "auto" else precision,
        device=torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"),
    )


def find_batch_size(
    segmenter: Segmenter,
    loss: nn.Module,
    optimizer: OptimizerFactory,
    *,
    image_size: int,
    images: int,
    precision: str,
    device: torch.device,
) -> int:
    """Tries out how many images a batch may have, with copies: nothing of the run changes, no random number is drawn.

    The result depends on the GPU, on what else is running on it and on the versions of CUDA and PyTorch. A run is
    repeated by the number that was found, which belongs into its configuration. The learning rate is left alone.

    Args:
        segmenter: Segmenter as it will be trained.
        loss: Function of logits and mask.
        optimizer: Factory of the optimizer.
        image_size: Height and width in pixels.
        images: Number of training images, of which an epoch keeps `LEAST_STEPS_AN_EPOCH` steps if there are as many.
        precision: Lightning's word, one of `FORMATS`.
        device: A CUDA GPU; without a number, the current one.

    Returns:
        A power of two.

    Raises:
        InputError: The device is no GPU, the precision is another, or not even one image fits.
    """
    if device.type != "cuda":
        raise InputError(
            "batch_size=auto fills a GPU's memory, and this is a CPU, whose memory other programs need too; give "
            "batch_size a number, such as 16"
        )
    if precision not in FORMATS:
        raise InputError(f"batch_size=auto cannot try trainer.precision={precision}; allowed: {', '.join(FORMATS)}")
    device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)

    def fits(batch_size: int) -> bool:
        return fits_on_gpu(
            segmenter, loss, optimizer, shape=(batch_size, image_size), precision=precision, device=device
        )

    found = largest_batch(fits, start=START, most=max(images // LEAST_STEPS_AN_EPOCH, 1))
    log.info("batch_size=auto: %d images a batch.", found)
    return found


def largest_batch(fits: Callable[[int], bool], *, start: int, most: int) -> int:
    """Finds the largest power of two that fits and is no larger than `most`, by doubling or halving from `start`.

    Raises:
        InputError: Not even one image fits.
        ValueError: `start` or `most` is below 1.
    """
    if start < 1 or most < 1:
        raise ValueError(f"start is {start} and most {most}; allowed: at least 1 each")
    size = _power_of_two(min(start, most))
    if fits(size):
        while 2 * size <= most and fits(2 * size):
            size *= 2
        return size
    while size > 1:
        size //= 2
        if fits(size):
            return size
    raise InputError(
        "batch_size=auto: not even a batch of one image fits into the GPU's memory; lower image_size, "
        "model.base_channels or model.depth, or see by nvidia-smi what else is running there"
    )


def fits_on_gpu(
    segmenter: Segmenter,
    loss: nn.Module,
    optimizer: OptimizerFactory,
    *,
    shape: tuple[int, int],
    precision: str,
    device: torch.device,
) -> bool:
    """Tells whether training steps run in the memory that is free now, of which a share is spared; see `take_steps`."""
    fits = True
    try:
        with _sparing_memory(device):
            take_steps(segmenter, loss, optimizer, shape=shape, precision=precision, device=device)
            torch.cuda.synchronize(device)
    except RuntimeError as error:
        if not _is_for_want_of_memory(error):
            raise
        fits = False
    gc.collect()  # only now, for the error has kept the tensors
    torch.cuda.empty_cache()
    return fits


def take_steps(
    segmenter: Segmenter,
    loss: nn.Module,
    optimizer: OptimizerFactory,
    *,
    shape: tuple[int, int],
    precision: str,
    device: torch.device,
) -> None:
    """Trains copies for `STEPS` steps on random images; `shape` is their number, and their height and width."""
    count, size = shape
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        trial, criterion = copy.deepcopy(segmenter).to(device).train(), copy.deepcopy(loss).to(device)
        step = PlainStep(trial, criterion, optimizer, dtype=FORMATS[precision])
        image, mask = random_batch(count, size, device)
        for _ in range(STEPS):
            step(image, mask)


@contextmanager
def _sparing_memory(device: torch.device) -> Iterator[None]:
    """Lets PyTorch have what is free on the device, less the share that is spared, for as long as the context lasts."""
    free, total = torch.cuda.mem_get_info(device)
    allowed = free + torch.cuda.memory_reserved(device) - SPARED * total
    torch.cuda.set_per_process_memory_fraction(max(allowed, 0.0) / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _is_for_want_of_memory(error: RuntimeError) -> bool:
    """PyTorch's allocator says so; cuDNN and cuBLAS, where they are the ones that find none left, have other words."""
    return isinstance(error, torch.OutOfMemoryError) or is_oom_error(error) or "ALLOC_FAILED" in str(error)


def _power_of_two(number: int) -> int:
    """Rounds down, from 1 on."""
    return 1 << (number.bit_length() - 1)
