"""What the validation of a finished run scores as the run delivers its model, and which number jobs are compared by."""

from collections.abc import Mapping

AS_TRAINED, AS_DELIVERED = "val", "val_delivered"
"""Phases of results. `val/dice` is of the best epoch, at the network's size and with the configured threshold alone, as
monitored. `val_delivered/dice` is of the same weights, at each ground truth's own size, with the decision that was
fitted: as a test scores them, but on the images that the decision was fitted on."""
EXPLANATION = (
    f"{AS_TRAINED}/...: the best epoch's validation, at the network's size with the configured threshold. "
    f"{AS_DELIVERED}/...: the same weights and images with the decision that was fitted on them, at the ground truths' "
    "own sizes."
)


def delivered_name(monitor: str) -> str:
    """Names what is delivered of a monitored value: `val_delivered/dice` for `val/dice`."""
    phase, slash, metric = monitor.partition("/")
    return f"{AS_DELIVERED}/{metric}" if slash and phase == AS_TRAINED else monitor


def objective(results: Mapping[str, float], monitor: str) -> float | None:
    """Returns what is delivered of the monitored value, where a decision was fitted; else the monitored value itself.

    A loss, or any other metric that no mask has, is never delivered. None where the run has neither.
    """
    return results.get(delivered_name(monitor), results.get(monitor))
