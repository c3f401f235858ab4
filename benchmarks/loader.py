"""What a training waits for: augmented batches from the cache against reading the originals every epoch.

    python benchmarks/loader.py --root FOLDER [--size 256] [--workers 2] [--rounds 5]

FOLDER holds images/ and masks/ of original size. Both ways augment alike (conf/augmentation/full.yaml), in as many
worker processes, and hand batches to a process that only takes them; the plain way reads with cv2.imread and
cv2.resize. Rounds alternate. Prints images a second, their ratio, and the share of their time that the workers of the
cached way spend on anything but augmenting: reading the cache, stacking, sending.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import hydra
import numpy as np
import torch
from hydra.utils import instantiate
from torch.utils.data import DataLoader, Dataset

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.cache import DiskCache
from lesionseg.data.loader import Array, Augment, Item, LesionDataset, collate, loader
from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import FilePair

sys.path.insert(0, str(Path(__file__).parent))
from image_cache import plain


class Clocked:
    """An augmentation that notes how long each worker augments, and from when to when it works.

    Args:
        augment: What is timed.
        workers: Number of worker processes.
    """

    def __init__(self, augment: Augment, workers: int) -> None:
        self.augment = augment
        self.seconds = torch.zeros(workers, 3, dtype=torch.float64).share_memory_()  # augmenting, first, last

    def __call__(self, image: Array, mask: Array, seed: int) -> tuple[Array, Array]:
        """Augments and notes the time."""
        start = time.perf_counter()
        result = self.augment(image, mask, seed)
        end = time.perf_counter()
        info = torch.utils.data.get_worker_info()
        row = self.seconds[info.id if info else 0]
        row[0] += end - start
        row[1] = start if row[1] == 0 else row[1]
        row[2] = end
        return result

    def share_of_other_work(self) -> float:
        """Share of the workers' time, from their first augmentation to their last, that is none; 0 to 1."""
        augmenting, first, last = self.seconds.sum(0).tolist()
        return float(1 - augmenting / (last - first))


class Originals(Dataset[Item]):
    """Reads, resizes and augments a pair whenever it is asked for."""

    def __init__(self, pairs: Sequence[FilePair], size: int, augment: Augment, count: int) -> None:
        self.pairs, self.size, self.augment, self.count = pairs, size, augment, count

    def __len__(self) -> int:
        """Counts the images of an epoch."""
        return self.count

    def __getitem__(self, index: int) -> Item:
        """Returns an image that has just been read."""
        pair = self.pairs[index % len(self.pairs)]
        image, mask = self.augment(*plain(pair, self.size), index)
        return {"image": image, "mask": mask, "id": pair.id}


def images_a_second(batches: DataLoader[Item], warm_up: int) -> float:
    """Takes an epoch's batches; the first ones, for which workers start, do not count."""
    count = 0
    for number, batch in enumerate(batches):
        if number == warm_up:
            start, count = time.perf_counter(), 0
        count += len(batch["id"])
    return (count - batches.batch_size) / (time.perf_counter() - start)  # type: ignore[operator]


def one_thread(_: int) -> None:
    """As lesionseg's own workers do."""
    cv2.setNumThreads(0)


def main() -> None:
    """Prints each round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--mask-suffix", default="_segmentation")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = pair_folders([options.root / "images"], [options.root / "masks"], mask_suffix=options.mask_suffix)
    pairs = list(found.pairs)
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        augment: Augment = instantiate(hydra.compose("train", ["augmentation=full"]).augmentation)
    ratios, others = [], []
    with tempfile.TemporaryDirectory() as folder:
        cache = DiskCache(pairs, options.size, Path(folder))
        cache.prepare(range(len(pairs)))
        for number in range(1, options.rounds + 1):
            clocked = Clocked(augment, options.workers)
            rows = np.resize(np.arange(len(pairs)), 200 * options.batch_size).tolist()
            dataset = LesionDataset(cache, rows, augment=clocked, full_size_masks=False)
            cached = images_a_second(
                loader(dataset, batch_size=options.batch_size, num_workers=options.workers, seed=number, shuffle=True),
                warm_up=20,
            )
            read = images_a_second(
                DataLoader(
                    Originals(pairs, options.size, augment, 16 * options.batch_size),
                    batch_size=options.batch_size,
                    num_workers=options.workers,
                    collate_fn=collate,
                    worker_init_fn=one_thread,
                ),
                warm_up=4,
            )
            ratios.append(cached / read)
            others.append(clocked.share_of_other_work())
            print(
                f"round {number}: cached {cached:.0f}, reading originals {read:.1f} images a second, "
                f"ratio {ratios[-1]:.1f}; {others[-1]:.1%} not augmenting",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.1f} (smallest {min(ratios):.1f}, largest {max(ratios):.1f})")
    print(f"median share not augmenting {statistics.median(others):.1%} (largest {max(others):.1%})")


if __name__ == "__main__":
    main()
