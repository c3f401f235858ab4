"""The data module: a source's parts as data loaders."""

import cv2
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from lesionseg.data.dataset import Augment, Item, LesionDataset, collate
from lesionseg.data.sampler import SeededSampler
from lesionseg.data.source import PARTS, Part, Source
from lesionseg.data.split import manifest
from lesionseg.errors import InputError
from lesionseg.hardware import usable_cores

MOST_WORKERS = 8
"""More workers than this rarely help one GPU and cost memory."""


class LesionDataModule(LightningDataModule):
    """Training, validation and test loaders over one source.

    Training images are shuffled and augmented; the others are only resized. The test part gives every ground truth at
    its own size too, because scores are computed there.

    Args:
        source: Where samples come from.
        image_size: Height and width the network sees, in pixels.
        batch_size: Images a batch.
        num_workers: Worker processes that augment; None picks one core less than there are, 1 to 8.
        seed: Fixes order and augmentation.
        augment: For training images, or None.
        test_part: What the test loader reads: `evaluate` may score another part than `test`; `all` scores every part.
    """

    def __init__(
        self,
        source: Source,
        *,
        image_size: int,
        batch_size: int,
        num_workers: int | None,
        seed: int,
        augment: Augment | None,
        test_part: Part | str = "test",
    ) -> None:
        super().__init__()
        self.source = source
        self.image_size = image_size
        self.batch_size = batch_size
        self.num_workers = min(max(usable_cores() - 1, 1), MOST_WORKERS) if num_workers is None else num_workers
        self.seed = seed
        self.augment = augment
        self.test_part = test_part
        self.samples = {part: list(source.samples(part)) for part in PARTS}
        self.split = manifest({part: [sample.id for sample in samples] for part, samples in self.samples.items()})
        self._datasets: dict[str, LesionDataset] = {}

    def setup(self, stage: str) -> None:
        """Reads the parts that a stage (`fit`, `validate`, `test`) needs, unless they have been read."""
        needed = {"fit": ["train", "validation"], "validate": ["validation"], "test": [self.test_part]}[stage]
        for part in needed:
            if part not in self._datasets:
                self._datasets[part] = self._dataset(
                    part, training=stage == "fit" and part == "train", scoring=stage == "test"
                )

    @property
    def has_test(self) -> bool:
        """Whether there is any image for the test loader."""
        return bool(self._samples_of(self.test_part))

    def dataset(self, part: str) -> LesionDataset:
        """Returns a part's dataset once `setup` has read it."""
        return self._datasets[part]

    def train_dataloader(self) -> DataLoader[Item]:
        """Shuffled, augmented batches; a last smaller one is dropped (batch normalisation dislikes tiny batches)."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Item]:
        """Validation batches in the order of their ids."""
        return self._loader("validation", shuffle=False)

    def test_dataloader(self) -> DataLoader[Item]:
        """Batches to score, in the order of their ids, with full-size masks."""
        return self._loader(self.test_part, shuffle=False)

    def _samples_of(self, part: str) -> list:  # type: ignore[type-arg]
        if part == "all":
            return sorted(
                (sample for samples in self.samples.values() for sample in samples), key=lambda sample: sample.id
            )
        return self.samples[part]  # type: ignore[index]

    def _dataset(self, part: str, *, training: bool, scoring: bool) -> LesionDataset:
        samples = self._samples_of(part)
        if not samples:
            raise InputError(f"The data source has no {part} image; allowed parts: {', '.join(PARTS)}, all")
        return LesionDataset(
            samples,
            image_size=self.image_size,
            # Scoring passes once: reading ahead into memory would only delay it.
            cache="none" if scoring else self.source.cache,
            augment=self.augment if training else None,
            full_size_masks=scoring,
        )

    def _loader(self, part: str, *, shuffle: bool) -> DataLoader[Item]:
        dataset = self._datasets[part]
        workers = self.num_workers if dataset.is_costly else 0
        return DataLoader(
            dataset,
            batch_size=min(self.batch_size, len(dataset)),
            sampler=SeededSampler(len(dataset), seed=self.seed, shuffle=shuffle),
            drop_last=shuffle,
            collate_fn=collate,
            num_workers=workers,
            worker_init_fn=_start_worker if workers else None,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            # One of its own, or every pass over the validation data would move the training's random state along.
            generator=torch.Generator().manual_seed(self.seed),
        )


def _start_worker(_: int) -> None:
    """Keeps OpenCV's own threads out of the workers, which are one core's worth each already."""
    cv2.setNumThreads(0)
