"""A sample: one image with its mask, not yet read."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import IMAGE_SUFFIXES, read_image, read_mask
from lesionseg.errors import InputError, raise_all


@dataclass(frozen=True)
class Sample(ABC):
    """One image and its ground truth, known by an `id` that is unique within its source."""

    id: str

    @abstractmethod
    def image(self) -> NDArray[np.uint8]:
        """Reads the image: (H, W, 3) uint8 RGB 0..255 at its own size."""

    @abstractmethod
    def mask(self) -> NDArray[np.uint8]:
        """Reads the ground truth: (H, W) uint8 in {0, 1}, of the image's size."""

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Reads image (H, W, 3) and mask (H, W) together.

        Raises:
            InputError: A file cannot be read, or the two differ in size.
        """
        image, mask = self.image(), self.mask()
        if image.shape[:2] != mask.shape:
            raise InputError(
                f"{self.id}: the image is {image.shape[1]} x {image.shape[0]} pixels but its mask is "
                f"{mask.shape[1]} x {mask.shape[0]}; export the mask again at the image's size"
            )
        return image, mask


@dataclass(frozen=True)
class FilePair(Sample):
    """A sample in two files."""

    image_path: Path
    mask_path: Path

    def image(self) -> NDArray[np.uint8]:
        """Reads the image file; see `read_image`."""
        return read_image(self.image_path)

    def mask(self) -> NDArray[np.uint8]:
        """Reads the mask file; see `read_mask`."""
        return read_mask(self.mask_path)


def pair_by_stem(
    images: Path, masks: Path, *, mask_suffix: str, ignored_suffixes: tuple[str, ...] = ()
) -> list[FilePair]:
    """Pairs the image files of one folder with the mask files of another by name, never by position in a listing.

    Args:
        images: Folder of photographs.
        masks: Folder of masks; `IMAGE.jpg` belongs to `IMAGE<mask_suffix>.png`, whatever the two extensions.
        mask_suffix: For example `_segmentation`, in any case; empty when image and mask have the same stem.
        ignored_suffixes: Ends of stems that are no photographs, for example `_superpixels`.

    Returns:
        The pairs sorted by id, which is the image's stem.

    Raises:
        InputError: A folder is missing, an image has no mask or a mask no image, or two files share a stem.
    """
    image_files = _files_by_stem(images, "", ignored_suffixes)
    mask_files = _files_by_stem(masks, mask_suffix, ignored_suffixes)
    findings = [
        f"{image_files[stem]} has no mask {stem}{mask_suffix}.*" for stem in sorted(image_files.keys() - mask_files)
    ]
    findings += [f"{mask_files[stem]} has no image {stem}.*" for stem in sorted(mask_files.keys() - image_files)]
    raise_all(
        f"Images in {images} and masks in {masks} do not pair up; add the missing files or take the others out:",
        findings,
    )
    return [FilePair(stem, image_files[stem], mask_files[stem]) for stem in sorted(image_files)]


def _files_by_stem(folder: Path, suffix: str, ignored_suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Lists a folder's image files by stem less `suffix`; hidden files and other types are not images."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder.absolute()}; check data.root")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ignored = path.name.startswith(".") or path.stem.endswith(ignored_suffixes or ("\0",))
        if path.suffix.lower() not in IMAGE_SUFFIXES or ignored or not path.stem.lower().endswith(suffix.lower()):
            continue
        stem = path.stem[: len(path.stem) - len(suffix)]
        if stem in found:
            raise InputError(f"{found[stem]} and {path} have the same stem; take one of them out")
        found[stem] = path
    return found
