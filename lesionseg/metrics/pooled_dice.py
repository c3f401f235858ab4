"""Pooled Dice coefficient."""

from lesionseg.metrics.dice import Dice


class PooledDice(Dice):
    """`Dice` of the counts summed over all images, as if they were one: large images and large lesions weigh more.

    Not comparable with the per-image mean; shown because many papers report it.
    """

    title = "pooled Dice"
    is_pooled = True
