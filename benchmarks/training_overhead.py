"""What the framework costs: lesionseg's training against a bare PyTorch loop, side by side.

    python benchmarks/training_overhead.py [--rounds 5] [--batches 24] [--image-size 160]

Both train `model=unet_fast` on the same batches, in memory, with the same loss, optimizer, clipping and precision.
Rounds alternate (framework, bare, framework, ...), each timed from its first batch to its last, so that a noisy machine
hits both alike; the figure is the median of the rounds' ratios. The framework's side has everything that runs once a
batch: Lightning's loop, logging, metrics and the callbacks of `conf/train.yaml`, the moving average of the weights
included. The bare loop has the moving average too, since it belongs to the recipe and not to the framework.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator

import hydra
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from lesionseg.config.build import build
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.loader import Batch
from lesionseg.system.device import fastest_precision
from lesionseg.training.building import build_module, build_trainer
from lesionseg.training.ema import Ema
from lesionseg.training.module import SegmentationModule
from lesionseg.training.optimizer import parameter_groups
from lesionseg.training.reporting import ScoreCollector

WARM_UP = 4
"""Batches before the clock starts: the first ones choose kernels and fill caches."""


class Batches(Dataset[Batch]):
    """The same random batches for both."""

    def __init__(self, count: int, batch_size: int, image_size: int) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (batch_size, image_size, image_size)
        self.batches: list[Batch] = [
            {
                "image": torch.randint(256, (*shape, 3), generator=generator, dtype=torch.uint8).permute(0, 3, 1, 2),
                "mask": torch.randint(2, shape, generator=generator, dtype=torch.uint8).unsqueeze(1),
                "id": [str(index)] * batch_size,
            }
            for index in range(count)
        ]

    def __len__(self) -> int:
        """Counts the batches."""
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        """Returns a whole batch."""
        return self.batches[index]


class Clock(Callback):
    """Times from the end of the warm-up to the last batch."""

    seconds = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Starts the clock after the warm-up."""
        if batch_idx == WARM_UP:
            self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self.seconds = time.perf_counter() - self._start


def framework(cfg: DictConfig, batches: Batches) -> float:
    """Seconds for the batches after the warm-up, in lesionseg's training."""
    scores = ScoreCollector(build("evaluation", cfg.evaluation))
    clock, module, trainer = Clock(), build_module(cfg, {}), build_trainer(cfg, scores)
    trainer.callbacks.append(clock)  # type: ignore[attr-defined]
    trainer.fit(module, DataLoader(batches, batch_size=None))
    return clock.seconds


def bare(cfg: DictConfig, batches: Batches) -> float:
    """Seconds for the batches after the warm-up, in a plain loop."""
    module = build_module(cfg, {})
    step = bare_steps(module, batches, cfg.trainer.gradient_clip_val, cfg.callbacks.ema.decay)
    for _ in range(WARM_UP):
        next(step)
    start = time.perf_counter()
    for _ in step:
        pass
    return time.perf_counter() - start


def bare_steps(module: SegmentationModule, batches: Batches, clip: float, decay: float) -> Iterator[None]:
    """Trains on one batch at each `next`."""
    optimizer = torch.optim.Adam(parameter_groups(module.segmenter), lr=1e-3, fused=True)
    average = AveragedModel(module, use_buffers=True, multi_avg_fn=Ema(decay=decay)._average)
    module.train()
    for batch in DataLoader(batches, batch_size=None):
        with torch.autocast(
            "cpu", torch.bfloat16, enabled=fastest_precision("cpu") == "bf16-mixed", cache_enabled=False
        ):
            loss = module.loss(module.segmenter(batch["image"]), batch["mask"])  # type: ignore[misc]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.segmenter.parameters(), clip)
        optimizer.step()
        average.update_parameters(module)
        yield


def main() -> None:
    """Prints each round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=160)
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    register_schemas()
    batches = Batches(WARM_UP + options.batches, options.batch_size, options.image_size)
    ratios = []
    with tempfile.TemporaryDirectory() as folder, hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        without = ["callbacks.sample_masks=null", "callbacks.model_summary=null", "callbacks.progress=null"]
        without += ["callbacks.checkpoint=null"]
        without += ["callbacks.early_stopping=null", "scheduler=none"]  # they act between epochs, not in the loop
        common = [f"run_dir={folder}", "model=unet_fast", "trainer=cpu", "trainer.max_epochs=1"]
        cfg = hydra.compose("train", overrides=[*common, *without])
        for number in range(options.rounds):
            seconds = framework(cfg, batches), bare(cfg, batches)
            ratios.append(seconds[0] / seconds[1])
            print(
                f"round {number + 1}: lesionseg {seconds[0]:.2f} s, bare {seconds[1]:.2f} s, ratio {ratios[-1]:.3f}",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.3f} (smallest {min(ratios):.3f}, largest {max(ratios):.3f})")


if __name__ == "__main__":
    main()
