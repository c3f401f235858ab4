"""A drawn evaluation, so that pages, pictures and tables can be tested without scoring anything."""

import math

import cv2
import numpy as np
import pytest

from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.evaluation.summary import CalibrationBin, Curves, Estimate, Group, Stratum, Summary
from lesionseg.metrics.definitions import METRICS, POOLED, definitions
from lesionseg.metrics.image_scores import Counts, ImageScores, Picture

COUNT = 12


@pytest.fixture(scope="session")
def image_scores() -> list[ImageScores]:
    """Twelve images with falling scores; the last one's lesion is missed."""
    return [_image(number) for number in range(COUNT)]


@pytest.fixture(scope="session")
def summary(image_scores: list[ImageScores]) -> Summary:
    """The numbers of these images, two strata and simple curves."""
    metrics = {name: _estimate([image.scores[name] for image in image_scores]) for name in METRICS}
    grid = [number / 10 for number in range(11)]
    return Summary(
        name="unet <fast>",
        facts={"checkpoint": "logs/train/best.ckpt", "data": "Synthetic", "part": "test", "date": "2026-11-24"},
        images=COUNT,
        missed=1,
        metrics=metrics,
        pooled={name: Estimate(0.9, 0.85, 0.95) for name in POOLED},
        confusion_matrix=((9_000, 400), (600, 2_000)),
        strata=[
            Stratum("lesion size", [Group("small", 7, metrics), Group("large", 5, metrics)]),
            Stratum("touches the border", [Group("no", 12, metrics)]),
        ],
        curves=Curves(
            false_positive_rate=grid,
            true_positive_rate=[math.sqrt(x) for x in grid],
            roc_area=0.93,
            recall=grid,
            precision=[1 - x * x / 2 for x in grid],
            average_precision=0.88,
            thresholds=grid,
            dice=[0.9 - (x - 0.5) ** 2 for x in grid],
            jaccard=[0.8 - (x - 0.5) ** 2 for x in grid],
            calibration=[CalibrationBin(x, x + 0.1, x + 0.05, (x + 0.05) ** 1.2, 1_000) for x in grid[:-1]],
            calibration_error=0.031,
            brier=0.042,
        ),
        test_set_sha256="0" * 64,
        definitions=definitions(0.75),
        config={"seed": 0, "model": {"_target_": "lesionseg.model.unet.UNet", "base_channels": 16}},
    )


def _image(number: int) -> ImageScores:
    image, mask = draw_dermoscopy(number, 96)
    jaccard = max(0.95 - 0.08 * number, 0.0) if number < COUNT - 1 else 0.0
    scores = dict.fromkeys(METRICS, jaccard) | {"hd95": 10.0 * (1 - jaccard), "failure": float(jaccard < 0.65)}
    lesion = int(mask.sum())
    found = int(lesion * jaccard)
    return ImageScores(
        id=f"ISIC_{number:07d}",
        height=96,
        width=96,
        counts=Counts(found, 0, lesion - found, mask.size - lesion),
        scores=scores,
        traits={"lesion_share": float(mask.mean()), "contrast": 20.0 + number, "hair": None},
        strata={"lesion size": "small" if number < 7 else "large", "touches the border": "no"},
        target_sha256=f"{number:064x}",
        picture=_picture(image, mask, nothing=number == COUNT - 1),
    )


def _picture(image: np.ndarray, mask: np.ndarray, *, nothing: bool) -> Picture:
    _, encoded = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    path = "".join("M" + "L".join(f"{x} {y}" for x, y in contour[:, 0]) + "Z" for contour in contours)
    return Picture(96, 96, encoded.tobytes(), path, "" if nothing else path)


def _estimate(values: list[float]) -> Estimate:
    mean = float(np.mean(values))
    return Estimate(mean, mean - 0.05, mean + 0.05, float(np.std(values, ddof=1)), float(np.median(values)))
