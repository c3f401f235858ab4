"""Which samples a checkpoint's split names."""

from collections.abc import Callable
from pathlib import Path

from lesionseg.data.folder import Folder
from lesionseg.training.part_samples import own_samples


def test_ids_of_a_split_are_found_however_their_accents_are_written(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Callable[..., Folder]
) -> None:
    source = folder_source(draw_pairs(tmp_path, {"l\u00e9sion": 0}))
    (sample,) = own_samples(source, "train", {"parts": {"train": ["le\u0301sion"]}})
    assert sample.mask_path == tmp_path / "masks" / "l\u00e9sion.png"  # type: ignore[attr-defined]
