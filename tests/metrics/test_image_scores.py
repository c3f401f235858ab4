"""What an evaluation knows of its images, and which are its worst."""

from lesionseg.metrics.image_scores import ImageScores, worst_first


def test_the_worst_come_first(image_scores: list[ImageScores]) -> None:
    ids = [image.id for image in worst_first(image_scores)]
    assert ids[0] == "ISIC_0000011"
    assert ids[-1] == "ISIC_0000000"
