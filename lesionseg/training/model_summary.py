"""The network at a glance, before the training starts."""

import copy

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.model.segmenter import Segmenter
from lesionseg.system.device import describe_device


class ModelSummary(Callback):
    """Prints each part of the network with its output's shape and its parameters, and the cost of one image.

    Shapes and operations are computed without allocating or computing anything (torch's meta device).
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the table."""
        segmenter, data = pl_module.segmenter, trainer.datamodule  # type: ignore[attr-defined]
        if trainer.is_global_zero and isinstance(segmenter, Segmenter) and isinstance(data, LesionDataModule):
            Console().print(summary_table(segmenter, data.cache.size))
            print(f"on {describe_device(pl_module.device, trainer.precision)}", flush=True)


def summary_table(segmenter: Segmenter, image_size: int) -> Table:
    """Tabulates the network's parts for one image of (image_size, image_size)."""
    shapes: dict[str, tuple[int, ...]] = {}
    clone = copy.deepcopy(segmenter).to("meta").eval()
    parts = dict(_parts(clone.network))
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: shapes.update({name: _shape(output)}))
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        clone(torch.empty(1, 3, image_size, image_size, device="meta"))
    table = Table(
        title=f"{type(segmenter.network).__name__} for {image_size} x {image_size} pixels", title_justify="left"
    )
    for heading in ("part", "output (channels, height, width)", "parameters"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for name, part in parts.items():
        table.add_row(name, " x ".join(map(str, shapes.get(name, ()))), f"{_parameters(part):,}")
    table.add_section()
    # A multiplication with its addition is two operations.
    table.add_row("all", f"{counter.get_total_flops() / 1e9:.2f} GFLOP an image", f"{_parameters(clone):,}")
    return table


def _parts(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Lists the network's children, the members of its lists one by one; parts without parameters say little."""
    listed: list[tuple[str, nn.Module]] = []
    for name, child in network.named_children():
        members = child.named_children() if isinstance(child, nn.ModuleList) else [("", child)]
        listed += [(f"{name} {number}".strip(), member) for number, member in members]
    return [(name, part) for name, part in listed if _parameters(part)]


def _shape(output: Tensor) -> tuple[int, ...]:
    return tuple(output.shape[1:])


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
