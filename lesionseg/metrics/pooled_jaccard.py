"""Pooled Jaccard index."""

from lesionseg.metrics.jaccard import Jaccard


class PooledJaccard(Jaccard):
    """`Jaccard` of the counts summed over all images, as if they were one: large images and large lesions weigh more.

    Not comparable with the per-image mean; shown because many papers report it.
    """

    title = "pooled Jaccard"
    is_pooled = True
