"""Results that must not be mistaken for a success: masks that mark nothing, everything, or are no better than that."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from lesionseg.evaluation.image_scores import Counts
from lesionseg.evaluation.overlap import overlap_scores

MANY = 0.5
"""Share of the images from which empty or full masks are the method's fault and not that of single images."""


def alarms(images: Sequence[Counts]) -> list[str]:
    """Lists what makes the masks worthless, a sentence each; nothing for masks that are of some use.

    Args:
        images: Counts of each image. Empty masks count against the images with a lesion, full masks against those
            with skin. Images without a lesion and without a prediction are right and raise no alarm, unless there
            are no others: they score 1, whatever was read in place of their ground truths.
    """
    return [*_no_lesion(images), *_empty(images), *_full(images), *_no_better_than_everything(images)]


def _no_lesion(images: Sequence[Counts]) -> Iterator[str]:
    if not any(image.true_positives + image.false_negatives for image in images):
        yield f"No ground truth ({len(images)} in all) shows a lesion, so the scores say nothing of lesions."


def _empty(images: Sequence[Counts]) -> Iterator[str]:
    with_lesion = [image for image in images if image.true_positives + image.false_negatives]
    empty = sum(image.true_positives + image.false_positives == 0 for image in with_lesion)
    if empty and empty >= MANY * len(with_lesion):
        yield f"Nothing is marked in {empty} of {len(with_lesion)} images that show a lesion."


def _full(images: Sequence[Counts]) -> Iterator[str]:
    with_skin = [image for image in images if image.true_negatives + image.false_positives]
    full = sum(image.true_negatives + image.false_negatives == 0 for image in with_skin)
    if full and full >= MANY * len(with_skin):
        yield f"The whole image is marked in {full} of {len(with_skin)} images that show skin."


def _no_better_than_everything(images: Sequence[Counts]) -> Iterator[str]:
    """Compares with masks of the whole image, whose Jaccard index is the lesion's share of the image."""
    reached = fmean(overlap_scores(image)["jaccard"] for image in images)
    trivial = fmean((image.true_positives + image.false_negatives) / sum(image) for image in images)
    if reached <= trivial < 1:
        yield f"The mean Jaccard index is {reached:.4f}; marking the whole of each image would reach {trivial:.4f}."
