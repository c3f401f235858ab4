"""A look at the trained network's validation masks: one that marks nothing, or everything, must not pass unnoticed."""

from lightning.pytorch import Trainer

from lesionseg.data.loader import LesionDataset
from lesionseg.evaluation.summary import alarms
from lesionseg.metrics.image_scores import count
from lesionseg.model.segmenter import Segmenter
from lesionseg.training.deciding import predicted

ADVICE = (
    "What to do: look for masks that are empty, inverted or of other images (python -m lesionseg.check_data "
    "data=...); train longer (trainer.max_epochs=...); lower the learning rate (optimizer.lr=...). curves.png and "
    "samples.png show how the training went."
)


def validation_alarms(trainer: Trainer, segmenter: Segmenter, validation: LesionDataset) -> list[str]:
    """Lists what makes the network's masks of the validation images worthless, see `lesionseg.evaluation.summary`.

    Args:
        trainer: Trainer that has trained it; its device and precision are used.
        segmenter: With the weights that are handed over.
        validation: Images and masks at the network's size.
    """
    masks = (predicted(trainer, segmenter, validation) > segmenter.threshold).astype("uint8")
    targets = (validation[index, 0]["mask"] for index in range(len(validation)))
    return alarms([count(mask, target) for mask, target in zip(masks, targets, strict=True)])
