"""Validation scores of a finished run's delivered model, and the number that jobs are compared by."""

from collections.abc import Mapping

AS_TRAINED, AS_DELIVERED = "val", "val_delivered"
"""Phases of results, which `EXPLANATION` tells apart."""
EXPLANATION = (
    f"{AS_TRAINED}/...: the best epoch's validation, at the network's size with the configured threshold. "
    f"{AS_DELIVERED}/...: the same weights and images with the post-processing that was fitted on them, at the ground "
    "truths' own sizes."
)


def delivered_name(monitor: str) -> str:
    """Names the delivered counterpart of a monitored value: `val_delivered/dice` for `val/dice`."""
    phase, slash, metric = monitor.partition("/")
    return f"{AS_DELIVERED}/{metric}" if slash and phase == AS_TRAINED else monitor


def objective(results: Mapping[str, float], monitor: str) -> float | None:
    """Returns the delivered counterpart of the monitored value if there is one, else the monitored value.

    There is none without fitted post-processing, nor of a loss. Returns None if the run has neither value.
    """
    return results.get(delivered_name(monitor), results.get(monitor))
