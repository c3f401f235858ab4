import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from lesionseg.checkpoint.rebuild import on_meta_device, weights_for
from lesionseg.errors import InputError


def layers() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


@pytest.fixture
def model() -> nn.Module:
    with torch.device("meta"):
        return layers()


@pytest.fixture
def stored() -> dict[str, Tensor]:
    return dict(layers().state_dict())


def test_they_are_the_stored_numbers_in_memory_of_their_own(model: nn.Module, stored: dict[str, Tensor]) -> None:
    weights = weights_for(model, stored)
    assert weights.keys() == stored.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, stored[name])
        assert tensor.untyped_storage().data_ptr() != stored[name].untyped_storage().data_ptr()


def test_they_are_contiguous_and_of_the_models_types(model: nn.Module, stored: dict[str, Tensor]) -> None:
    """A training in bf16 and channels_last stores other tensors than a fresh model has."""
    for name in ("0.weight", "0.bias"):
        stored[name] = stored[name].to(torch.bfloat16)
    stored["0.weight"] = stored["0.weight"].to(memory_format=torch.channels_last)
    weights = weights_for(model, stored)
    assert {name: tensor.dtype for name, tensor in weights.items()} == {
        name: tensor.dtype for name, tensor in model.state_dict().items()
    }
    assert weights["0.weight"].is_contiguous()
    assert torch.equal(weights["0.weight"], stored["0.weight"].float())


def test_everything_that_does_not_fit_is_listed(model: nn.Module, stored: dict[str, Tensor]) -> None:
    del stored["0.bias"]
    stored |= {"0.weight": torch.ones(4, 3, 1, 1), "1.num_batches_tracked": torch.tensor(1.0), "more": torch.ones(1)}
    with pytest.raises(InputError) as caught:
        weights_for(model, stored)
    assert str(caught.value).splitlines() == [
        "the stored weights do not fit the stored configuration:",
        "  - 0.weight is (4, 3, 1, 1); the model takes (4, 3, 3, 3)",
        "  - 0.bias is missing",
        "  - 1.num_batches_tracked is of torch.float32; the model takes torch.int64",
        "  - 'more' is not of the model",
    ]


def test_weights_that_are_no_numbers_are_named(model: nn.Module, stored: dict[str, Tensor]) -> None:
    stored["1.running_var"][2] = float("nan")
    with pytest.raises(InputError, match=r"not finite (?s:.*)earlier checkpoint:\n  - 1\.running_var$"):
        weights_for(model, stored)


def test_views_of_the_same_numbers_are_refused(model: nn.Module, stored: dict[str, Tensor]) -> None:
    stored["0.weight"] = torch.ones(1).expand(4, 3, 3, 3)
    with pytest.raises(InputError, match="repeat the same"):
        weights_for(model, stored)


@pytest.mark.parametrize("kind", ["meta", "sparse", "parameter"])
def test_other_kinds_of_tensors_are_refused(model: nn.Module, stored: dict[str, Tensor], kind: str) -> None:
    bias = stored["0.bias"]
    stored["0.bias"] = {"meta": bias.to("meta"), "sparse": bias.to_sparse(), "parameter": nn.Parameter(bias)}[kind]
    with pytest.raises(InputError, match=r"0\.bias is no plain tensor"):
        weights_for(model, stored)


def test_a_module_has_shapes_and_no_numbers() -> None:
    with on_meta_device():
        layer = nn.Linear(10**6, 10**6)  # 4 TB
        nn.init.normal_(layer.weight)
    assert layer.weight.is_meta
    assert layer.weight.shape == (10**6, 10**6)


def test_outside_of_it_numbers_are_drawn() -> None:
    with on_meta_device():
        pass
    assert nn.Linear(4, 4).weight.abs().sum() > 0
    assert torch.empty(8).normal_().abs().sum() > 0


def test_torchs_compiler_is_not_loaded() -> None:
    """It takes longer than predicting a dozen photographs."""
    program = (
        "import sys; from torch import nn; from lesionseg.checkpoint.rebuild import on_meta_device\n"
        "with on_meta_device():\n    weight = nn.Conv2d(3, 8, 3).weight\n"
        "    nn.init.kaiming_normal_(weight)\n    nn.init.normal_(weight, std=0.1)\n    nn.init.uniform_(weight)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
