import torch
from torch import nn

from lesionseg.benchmarking.complexity import flops_of, parameter_count


def test_parameters_are_those_counted_by_hand() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    assert parameter_count(layers) == (3 * 8 * 9 + 8) + (8 + 8)


def test_a_multiplication_with_its_addition_is_two_operations() -> None:
    convolution = nn.Conv2d(3, 8, 3, padding=1, stride=2)
    assert flops_of(convolution, torch.zeros(2, 3, 16, 20)) == 2 * (2 * 8 * 10) * 8 * 3 * 9


def test_normalisation_and_activation_are_not_counted() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()).eval()
    assert flops_of(layers, torch.zeros(1, 3, 8, 8)) == 2 * 64 * 3 * 4
