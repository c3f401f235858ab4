"""A clean data set with train, validation and test folders, to plant faults into."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from PIL import Image

from lesionseg.data.check import examination, set_checks
from lesionseg.data.check.examination import FileFault
from lesionseg.data.duplicates import Duplicate
from lesionseg.data.source import Source
from lesionseg.data.synthetic_image import draw_dermoscopy

COUNTS = {"train": 40, "validation": 12, "test": 12}


@pytest.fixture(scope="session")
def clean_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be written to."""
    root = tmp_path_factory.mktemp("clean")
    seed = 0
    for part, count in COUNTS.items():
        for folder in ("images", "masks"):
            (root / part / folder).mkdir(parents=True)
        for number in range(count):
            image, mask = draw_dermoscopy(seed, 96)
            seed += 1
            Image.fromarray(image).save(root / part / "images" / f"{part}{number:02d}.jpg", quality=92)
            Image.fromarray(mask * 255).save(root / part / "masks" / f"{part}{number:02d}.png")
    return root


@pytest.fixture
def planted(clean_set: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(clean_set, tmp_path / "set"))


@pytest.fixture
def folder_source(compose) -> Callable[..., Source]:  # type: ignore[no-untyped-def]
    """Makes the source `data=folder` of a root."""

    def from_root(root: Path, **settings: Any) -> Source:
        node = compose(["data=folder", f"data.root={root}"]).data
        node.update(settings)
        source: Source = instantiate(node)
        return source

    return from_root


@pytest.fixture(scope="session", autouse=True)
def _files_are_examined_once() -> Iterator[None]:
    """Remembers the facts of equal files: planted faults leave most files of the clean set as they are."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_examine_image", "examine_mask"):
            patch.setattr(examination, name, _remembered(getattr(examination, name)))
        yield


def _remembered(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    known: dict[tuple[str, bytes], Any] = {}

    def remembered(path: Path) -> Any:
        key = path.suffix, path.read_bytes()
        if key not in known:
            facts = read(path)
            if isinstance(facts, FileFault):  # it names the file
                return facts
            known[key] = facts
        return known[key]

    return remembered


@pytest.fixture
def equal_pictures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compares pictures by their digests alone; similar ones take seconds to find."""

    def duplicates(digests: Sequence[bytes], _: object) -> list[Duplicate]:
        pairs = combinations(range(len(digests)), 2)
        return [Duplicate(one, other, 1.0, True) for one, other in pairs if digests[one] == digests[other]]

    monkeypatch.setattr(set_checks, "duplicates_among", duplicates)
