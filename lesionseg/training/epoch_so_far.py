"""What the metrics have seen of an epoch, as a checkpoint keeps it where a training stops within one."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

State = dict[str, Tensor | list[Tensor]]


def epoch_so_far(module: nn.Module) -> dict[str, State]:
    """Collects the states of all metrics below a module that have seen anything, by their names."""
    return {name: _state(metric) for name, metric in _metrics(module).items() if metric.update_count > 0}


def restore_epoch_so_far(module: nn.Module, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Gives the metrics below a module the states that `epoch_so_far` has collected; others stay empty."""
    metrics = _metrics(module)
    for name, state in states.items():
        if name not in metrics:
            continue
        for key in metrics[name].metric_state:
            setattr(metrics[name], key, state[key])
        metrics[name]._update_count = 1  # else it would warn that it has seen nothing


def _metrics(module: nn.Module) -> dict[str, Metric]:
    for child in module.modules():
        if isinstance(child, MetricCollection):
            child.values(copy_state=False)  # those that share one state then all have it
    return {name: child for name, child in module.named_modules() if isinstance(child, Metric)}


def _state(metric: Metric) -> State:
    return {name: list(value) if isinstance(value, list) else value for name, value in metric.metric_state.items()}
