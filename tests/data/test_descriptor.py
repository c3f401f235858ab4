"""A descriptor recognises a picture's copies, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lesionseg.data.descriptor import ANGLES, RINGS, descriptor, look_alikes
from lesionseg.data.synthetic_image import draw_dermoscopy

Change = Callable[[Any], Any]
REAL = Path(os.environ.get("LESIONSEG_ISIC2017", Path(__file__).parents[3] / "shared" / "data" / "isic2017_256"))
PICTURES = {f"{seed}": draw_dermoscopy(seed, 160)[0] for seed in range(16)}


def turned(picture: Any, degrees: float) -> Any:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def recoloured(picture: Any) -> Any:
    return np.clip(picture * np.array([1.2, 0.8, 0.9]) + np.array([-20, 10, 25]), 0, 255).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "as it is": lambda picture: picture,
    "smaller": lambda picture: cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA),
    "larger and squashed": lambda picture: cv2.resize(picture, (300, 220)),
    "JPEG": lambda picture: cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1),
    "recoloured": recoloured,
    "turned by a quarter": lambda picture: np.rot90(picture).copy(),
    "turned by 77 degrees": lambda picture: turned(picture, 77),
    "mirrored": lambda picture: picture[:, ::-1].copy(),
    "mirrored, turned, recoloured": lambda picture: recoloured(turned(picture[:, ::-1].copy(), 211)),
    "with black bars": lambda picture: cv2.copyMakeBorder(picture, 30, 30, 0, 0, cv2.BORDER_CONSTANT),
}


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return {id_: descriptor(picture) for id_, picture in PICTURES.items()}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_copy_is_recognised_as_what_it_is_a_copy_of(change: Change, known: dict[str, Any]) -> None:
    copies = {f"copy of {id_}": descriptor(change(picture)) for id_, picture in PICTURES.items()}
    found = look_alikes(copies, known)
    assert [pair.id for pair in found] == [f"copy of {pair.other}" for pair in found]
    assert len(found) >= 13


def test_other_pictures_are_not(known: dict[str, Any]) -> None:
    others = {f"{seed}": descriptor(draw_dermoscopy(seed, 160)[0]) for seed in range(100, 130)}
    assert look_alikes(others, known) == []


def test_pictures_without_structure_resemble_nothing_not_even_each_other(known: dict[str, Any]) -> None:
    even = {"even": descriptor(np.full((80, 80, 3), 120, np.uint8))}
    assert look_alikes(even, known | even) == []


def test_a_descriptor_is_small(known: dict[str, Any]) -> None:
    assert {value.shape for value in known.values()} == {(RINGS, ANGLES)}
    assert known["0"].nbytes == 528


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real ISIC 2017 is not at {REAL}; set LESIONSEG_ISIC2017")
def test_the_training_images_in_the_validation_part_of_isic_2017_are_recognised_and_no_others() -> None:
    def described(folder: str, first: int, count: int) -> dict[str, Any]:
        files = sorted((REAL / folder).glob("*.jpg"))[first : first + count]
        return {path.stem: descriptor(np.asarray(Image.open(path).convert("RGB"))) for path in files}

    validation = described("ISIC-2017_Validation_Data", 0, 75)
    training = described("ISIC-2017_Training_Data", 1300, 150)
    found = {(pair.id, pair.other) for pair in look_alikes(validation, training)}
    assert ("ISIC_0012127", "ISIC_0012970") in found
    assert len(found) <= 5
