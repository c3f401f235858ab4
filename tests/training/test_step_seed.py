import pytest
import torch

from lesionseg.training.step_seed import step_seed


def test_a_step_always_has_the_same_seed_and_no_two_share_one() -> None:
    seeds = {step_seed(seed, step, rank) for seed in range(3) for step in range(50) for rank in range(3)}
    assert len(seeds) == 450
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)


@pytest.mark.parametrize("numbers", [(0, 0, 0), (2**63 - 1, 2**40, 7)])
def test_torch_takes_it(numbers: tuple[int, ...]) -> None:
    torch.Generator().manual_seed(step_seed(*numbers))
