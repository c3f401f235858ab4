import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from lesionseg.checkpoint.rebuild import build_strictly, on_meta_device, weights_for
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


# Objects that a file asks for


class Part:
    def __init__(
        self, *, size: int, share: float = 0.5, kind: Literal[1, "a"] = 1, on: bool = True, folder: Path | None = None
    ) -> None:
        if size > 10:
            raise ZeroDivisionError("too large")
        self.given = (size, share, kind, on, folder)


def test_values_of_the_right_types_are_passed_on_untouched() -> None:
    assert build_strictly(Part, {"size": 1}).given == (1, 0.5, 1, True, None)
    assert build_strictly(Part, {"size": 1, "share": 1, "kind": "a", "folder": "b"}).given == (1, 1, "a", True, "b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "its argument size is missing"),
        ({"size": 1, "colour": 2}, "it has no argument 'colour'; allowed: size, share, kind, on, folder"),
        ({"size": True}, "size is True: Input should be a valid integer"),
        ({"size": "1"}, "size is '1': Input should be a valid integer"),
        ({"size": 1.0}, r"size is 1\.0: Input should be a valid integer"),
        ({"size": {}}, "size is {}: Input should be a valid integer"),
        ({"size": 1, "share": float("nan")}, "share is nan: Input should be a finite number"),
        ({"size": 1, "share": float("inf")}, "share is inf: Input should be a finite number"),
        ({"size": 1, "kind": True}, "kind is True; allowed: 1, a"),
        ({"size": 1, "kind": "b"}, "kind is 'b': Input should be 1 or 'a'"),
        ({"size": 1, "on": 1}, "on is 1: Input should be a valid boolean"),
        ({"size": 1, "folder": 5}, "folder is 5: "),
        ({"size": 11}, "cannot be built as the file asks: too large"),
    ],
)
def test_all_else_is_refused_with_what_is_allowed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_strictly(Part, arguments)
