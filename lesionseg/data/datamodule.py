"""The data module: a source's parts as data loaders."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from lightning.pytorch import LightningDataModule
from lightning.pytorch.loops.progress import _ProcessedTracker
from torch.utils.data import DataLoader

from lesionseg.data.cache import open_cache
from lesionseg.data.dataset import Augment, Item, LesionDataset
from lesionseg.data.descriptor import ANGLES, RINGS, Descriptor, as_text, descriptor, from_text
from lesionseg.data.loader import loader
from lesionseg.data.manifest import with_digests
from lesionseg.data.sampler import SeededSampler
from lesionseg.data.source import PARTS, Part, Source
from lesionseg.data.split import Facts, divide, require_same_files
from lesionseg.errors import InputError
from lesionseg.system.machine import usable_cores


class LesionDataModule(LightningDataModule):
    """Training, validation and test loaders over one source.

    Training images are shuffled and augmented; the others are only resized. The test part gives every ground truth at
    its own size too, because scores are computed there.

    Args:
        source: Where samples come from, how they are split and kept.
        image_size: Height and width the network sees, in pixels.
        batch_size: Images a batch.
        num_workers: Worker processes, see `lesionseg.data.loader`.
        seed: Fixes order and augmentation.
        augment: For training images, or None.
        min_train_batches: Batches that an epoch of training has at least; small data are passed over several times.

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
        self.split = with_digests(divide(source, listing, facts, check_leaks=True), facts.digests)
        row_of = {sample.id: row for row, sample in enumerate(samples)}
        self._rows = {part: [row_of[id_] for id_ in self.split["parts"][part]] for part in PARTS}
        self._datasets: dict[Part, LesionDataset] = {}
        self._resumed = {"epoch": 0, "batches": 0}

    def state_dict(self) -> dict[str, Any]:
        """Keeps where in which epoch the training is, for the loader is made before Lightning restores that."""
        if self.trainer is None:
            return dict(self._resumed)
        loop = self.trainer.fit_loop
        progress = cast(_ProcessedTracker, loop.epoch_progress.current)
        batches = loop.epoch_loop.batch_progress.current.ready
        return {"epoch": progress.processed, "batches": 0 if progress.started == progress.processed else batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers where the training goes on."""
        self._resumed = state_dict

    def setup(self, stage: str) -> None:
        """Reads the parts that a stage (`fit`, `validate`, `test`) needs, unless they have been read."""
        needed: dict[str, list[Part]] = {"fit": ["train", "validation"], "validate": ["validation"], "test": ["test"]}
        for part in needed[stage]:
            if part not in self._datasets:
                self._datasets[part] = self._dataset(part)

    @property
    def has_test(self) -> bool:
        """Whether there is any image for the test loader."""
        return bool(self._rows["test"])

    def dataset(self, part: Part) -> LesionDataset:
        """Returns a part's dataset once `setup` has read it."""
        return self._datasets[part]

    def descriptors(self) -> dict[str, Descriptor]:
        """Describes the images of training and validation by id; drawn ones, which have no files, are left out."""
        samples = self.cache.samples
        rows = [row for part in ("train", "validation") for row in self._rows[part] if samples[row].files]
        if not rows:
            return {}
        self.cache.prepare(range(len(samples)))
        texts = self.cache.remember(f"descriptors-{RINGS}-{ANGLES}", self._described)
        return {samples[row].id: from_text(texts[row]) for row in rows}

    def _described(self) -> list[str]:
        """Describes all samples on all cores."""
        rows = range(len(self.cache.samples))
        with ThreadPoolExecutor(usable_cores()) as threads:
            return list(threads.map(lambda row: as_text(descriptor(self.cache[row].image)), rows))

    @property
    def passes(self) -> float:
        """How often an epoch passes over the training images; 1 where they fill `min_train_batches` at once."""
        images = len(self._rows["train"])
        return max(self.min_train_batches * self.batch_size / images, 1.0) if self.min_train_batches > 1 else 1.0

    def train_dataloader(self) -> DataLoader[Item]:
        """Shuffled, augmented batches; a last smaller one is dropped (batch normalisation dislikes tiny batches).

        Of a resumed epoch, those that it has not seen.
        """
        made = self._loader("train")
        if isinstance(made.sampler, SeededSampler) and made.batch_size:
            made.sampler.resume(self._resumed["epoch"], self._resumed["batches"] * made.batch_size)
        return made

    def val_dataloader(self) -> DataLoader[Item]:
        """Validation batches in the order of their ids."""
        return self._loader("validation")

    def test_dataloader(self) -> DataLoader[Item]:
        """Batches to score, in the order of their ids, with full-size masks."""
        return self._loader("test")

    def _dataset(self, part: Part) -> LesionDataset:
        rows = self._rows[part]
        if not rows:
            raise InputError(f"The data have no {part} image; the split is {self.split['how']}")
        self.cache.prepare(rows)
        augment = self.augment if part == "train" else None
        return LesionDataset(self.cache, rows, augment=augment, full_size_masks=part == "test")

    def _loader(self, part: Part) -> DataLoader[Item]:
        return loader(
            self._datasets[part],
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=self.seed,
            shuffle=part == "train",
            min_batches=self.min_train_batches if part == "train" else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
        )
