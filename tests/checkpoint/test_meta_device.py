import subprocess
import sys

import torch
from torch import nn

from lesionseg.checkpoint.meta_device import without_memory


def test_a_module_has_shapes_and_no_numbers() -> None:
    with without_memory():
        layer = nn.Linear(10**6, 10**6)  # 4 TB
        nn.init.normal_(layer.weight)
    assert layer.weight.is_meta
    assert layer.weight.shape == (10**6, 10**6)


def test_outside_of_it_numbers_are_drawn() -> None:
    with without_memory():
        pass
    assert nn.Linear(4, 4).weight.abs().sum() > 0
    assert torch.empty(8).normal_().abs().sum() > 0


def test_torchs_compiler_is_not_loaded() -> None:
    """It takes longer than predicting a dozen photographs."""
    program = (
        "import sys; from torch import nn; from lesionseg.checkpoint.meta_device import without_memory\n"
        "with without_memory():\n    weight = nn.Conv2d(3, 8, 3).weight\n"
        "    nn.init.kaiming_normal_(weight)\n    nn.init.normal_(weight, std=0.1)\n    nn.init.uniform_(weight)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
