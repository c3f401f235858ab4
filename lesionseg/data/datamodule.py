"""Data loaders of the subsets of a source."""

from typing import Any, cast

from lightning.pytorch import LightningDataModule
from lightning.pytorch.loops.progress import _ProcessedTracker
from torch.utils.data import DataLoader

from lesionseg.data.cache import open_cache
from lesionseg.data.descriptor import ANGLES, RINGS, Descriptor, as_text, descriptor, from_text
from lesionseg.data.loader import Augment, Item, LesionDataset, SeededSampler, loader
from lesionseg.data.manifest import require_same_files, with_digests
from lesionseg.data.source import SUBSETS, Source, Subset
from lesionseg.data.split import Facts, make_split
from lesionseg.errors import InputError
from lesionseg.system.machine import on_all_cores


class LesionDataModule(LightningDataModule):
    """Training, validation and test loaders of a source.

    Training images are shuffled and augmented, the others are only resized. Test batches also have every ground truth
    at its own size, at which scores are computed.

    Args:
        source: Samples, with the settings of their split and cache.
        image_size: Height and width of the network's input in pixels.
        num_workers: Number of worker processes, see `lesionseg.data.loader`.
        seed: Seed of order and augmentation.
        min_train_batches: Least number of batches in an epoch of training; an epoch over few images repeats them.

    Raises:
        InputError: Files are missing or cannot be used, or the split leaks.
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
        min_train_batches: int = 1,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.augment = augment
        self.min_train_batches = min_train_batches
        listing = source.listing().checked()
        samples = listing.samples()
        self.cache = open_cache(source.cache, samples, image_size, source.cache_dir)
        facts = Facts(samples, self.cache)
        require_same_files(source, lambda: facts.digests)
        self.split = with_digests(make_split(source, listing, facts, check_leaks=True), facts.digests)
        row_of = {sample.id: row for row, sample in enumerate(samples)}
        self._rows = {subset: [row_of[id_] for id_ in self.split["parts"][subset]] for subset in SUBSETS}
        self._datasets: dict[Subset, LesionDataset] = {}
        self._resumed = {"epoch": 0, "batches": 0}

    def state_dict(self) -> dict[str, Any]:
        """Returns epoch and batch, which the loader needs before Lightning restores its own."""
        if self.trainer is None:
            return dict(self._resumed)
        loop = self.trainer.fit_loop
        progress = cast(_ProcessedTracker, loop.epoch_progress.current)
        batches = loop.epoch_loop.batch_progress.current.ready
        return {"epoch": progress.processed, "batches": 0 if progress.started == progress.processed else batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores epoch and batch for the training loader."""
        self._resumed = state_dict

    def setup(self, stage: str) -> None:
        """Reads the subsets of a stage (`fit`, `validate`, `test`) that have not been read."""
        needed: dict[str, list[Subset]] = {"fit": ["train", "validation"], "validate": ["validation"], "test": ["test"]}
        for subset in needed[stage]:
            if subset not in self._datasets:
                self._datasets[subset] = self._read(subset)

    @property
    def has_test(self) -> bool:
        """Whether there are test images."""
        return bool(self._rows["test"])

    def dataset(self, subset: Subset) -> LesionDataset:
        """Returns the dataset of a subset that `setup` has read."""
        return self._datasets[subset]

    def descriptors(self) -> dict[str, Descriptor]:
        """Returns descriptors of training and validation images by id, except of drawn ones, which have no files."""
        samples = self.cache.samples
        rows = [row for subset in ("train", "validation") for row in self._rows[subset] if samples[row].files]
        if not rows:
            return {}
        self.cache.prepare(range(len(samples)))
        work = (self._described, range(len(samples)), f"describing {len(samples)} images")
        texts = self.cache.remember(f"descriptors-{RINGS}-{ANGLES}", lambda: on_all_cores(*work))
        return {samples[row].id: from_text(texts[row]) for row in rows}

    def _described(self, row: int) -> str:
        return as_text(descriptor(self.cache[row].image))

    @property
    def passes(self) -> float:
        """Number of passes over the training images in an epoch; 1 if they fill `min_train_batches`."""
        images = len(self._rows["train"])
        return max(self.min_train_batches * self.batch_size / images, 1.0) if self.min_train_batches > 1 else 1.0

    def train_dataloader(self) -> DataLoader[Item]:
        """Returns shuffled and augmented batches, in a resumed epoch only those not seen yet.

        A last, smaller batch is dropped: batch normalisation needs more images.
        """
        made = self._loader("train")
        if isinstance(made.sampler, SeededSampler) and made.batch_size:
            made.sampler.resume(self._resumed["epoch"], self._resumed["batches"] * made.batch_size)
        return made

    def val_dataloader(self) -> DataLoader[Item]:
        """Returns validation batches in the order of ids."""
        return self._loader("validation")

    def test_dataloader(self) -> DataLoader[Item]:
        """Returns test batches in the order of ids, with full-size masks."""
        return self._loader("test")

    def _read(self, subset: Subset) -> LesionDataset:
        rows = self._rows[subset]
        if not rows:
            raise InputError(f"The data have no {subset} image; the split is {self.split['how']}")
        self.cache.prepare(rows)
        augment = self.augment if subset == "train" else None
        return LesionDataset(self.cache, rows, augment=augment, full_size_masks=subset == "test")

    def _loader(self, subset: Subset) -> DataLoader[Item]:
        return loader(
            self._datasets[subset],
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=self.seed,
            shuffle=subset == "train",
            min_batches=self.min_train_batches if subset == "train" else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
        )
