from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from lesionseg.benchmarking.benchmarking import settle
from lesionseg.errors import InputError

Composed = Callable[..., DictConfig]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["measure=[speed]"], "measure has speed; allowed: loader, training, inference, folder"),
        (["runtimes=[tflite]"], "runtimes has tflite; allowed: eager, compiled, onnx"),
        (["rounds=0"], "rounds is 0; allowed: at least 1"),
        (["rounds=99999999999999999999"], "allowed: at most 100000"),
        (["loader_images=0"], "loader_images is 0; allowed: at least 1"),
        (["seconds=0"], "seconds is 0"),
        (["seconds=inf"], "seconds is inf"),
        (["precision=int4"], "precision is int4; allowed: auto, fp32"),
        (["peers=[classic_unet]", "name=classic_unet"], "peers.classic_unet has the name of the network itself"),
        (["batch_size=0"], "batch_size is 0; allowed: at least 1"),
        (["image_size=8"], "image_size is 8; allowed: at least 32"),
        (["+model.widht=3"], "no argument widht"),
        (["+optimizer.momentum=0.9"], "no argument momentum"),
        (["+peers.x.network._target_=torch.nn.Conv2d", "+peers.x.network.in_chanels=3"], "no argument in_chanels"),
        (["+peers.x.network._target_=no_such_module.Net"], "no_such_module"),
        (["data=folder", "data.root=/no/such/folder", "checkpoint=/no/such.ckpt"], "there is no file /no/such.ckpt"),
    ],
)
def test_a_fault_is_named_before_any_work(composed: Composed, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        settle(composed(*overrides))
    assert message in str(caught.value)


def test_a_checkpoint_says_its_name_and_size(composed: Composed, smoke_run: Path) -> None:
    checkpoint = f"checkpoint={smoke_run / 'checkpoints' / 'best.ckpt'}"
    settled = settle(composed(checkpoint, "image_size=null"))
    assert (settled.name, settled.image_size) == ("smoke", 64)
    assert settle(composed(checkpoint)).image_size == 32  # the user's word


def test_without_one_the_size_is_trainings(composed: Composed, compose: Callable[..., DictConfig]) -> None:
    assert settle(composed("image_size=null")).image_size == compose([]).image_size
