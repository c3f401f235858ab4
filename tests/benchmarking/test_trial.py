from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lesionseg.benchmarking.subject import build_subject
from lesionseg.benchmarking.trial import try_out
from lesionseg.errors import InputError

NETWORKS = """
import torch

class Several(torch.nn.Module):
    def forward(self, image):
        return [image[:, :1], image[:, :1]]

class Fragile(torch.nn.Module):
    def forward(self, image):
        raise RuntimeError("too small\\nand more")
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "somebodys_networks.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)


def convolution(out_channels: int, stride: int) -> dict[str, Any]:
    settings = {"in_channels": 3, "out_channels": out_channels, "kernel_size": 1, "stride": stride}
    return {"_target_": "torch.nn.Conv2d", **settings}


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    ("network", "found"),
    [
        ({"_target_": "somebodys_networks.Several"}, r"an output \(list\); allowed: a network that maps"),
        (convolution(2, 1), r"for an image \(2, 3, 64, 64\) it gives an output of shape \(2, 2, 64, 64\)"),
        (convolution(1, 2), r"of shape \(2, 1, 32, 32\)"),
        ({"_target_": "somebodys_networks.Fragile"}, r"fails on images of 40 x 40 pixels \(too small\); give another"),
    ],
)
def test_what_gives_no_logits_is_refused(pixelwise: Callable[..., Any], network: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=rf"peers\.pixelwise\.network: .*{found}"):
        try_out(build_subject(pixelwise(network=network)), image_size=40, trains=False)


def test_a_network_that_cannot_learn_is_refused_where_it_has_to(pixelwise: Callable[..., Any]) -> None:
    frozen = build_subject(pixelwise())
    frozen.segmenter.requires_grad_(False)
    try_out(frozen, image_size=40, trains=False)
    with pytest.raises(InputError, match="does not require grad"):
        try_out(frozen, image_size=40, trains=True)


def test_a_trial_leaves_weights_and_mode_as_they_were(pixelwise: Callable[..., Any]) -> None:
    subject = build_subject(pixelwise())
    before = {name: value.clone() for name, value in subject.segmenter.state_dict().items()}
    try_out(subject, image_size=40, trains=True)
    assert all(torch.equal(value, before[name]) for name, value in subject.segmenter.state_dict().items())
    assert not subject.segmenter.training
    assert all(parameter.grad is None for parameter in subject.segmenter.parameters())
