"""A network that knows nothing of lesionseg."""

from typing import Any

from torch import Tensor, nn

from lesionseg.errors import InputError

CONTRACT = "allowed: a network that maps an image (B, 3, H, W) to one tensor of logits (B, 1, H, W)"


class Foreign(nn.Module):
    """Gives anybody's network the `stride` that the segmenter pads to, and holds its output against the contract.

    Args:
        network: Image (B, 3, H, W) float -> logits (B, 1, H, W).
        name: Its place in the configuration, for messages.
        stride: H and W reach it as multiples of so many pixels.
    """

    def __init__(self, network: nn.Module, *, name: str, stride: int) -> None:
        super().__init__()
        self.network = network
        self.name = name
        self.stride = stride

    def forward(self, image: Tensor) -> Tensor:
        """Computes logits: (B, 3, H, W) -> (B, 1, H, W).

        Raises:
            InputError: The network gives anything else.
        """
        logits: Any = self.network(image)
        expected = (image.shape[0], 1, *image.shape[-2:])
        if isinstance(logits, Tensor) and logits.shape == expected:
            return logits
        found = f"of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"({type(logits).__name__})"
        raise InputError(f"{self.name}: for an image {tuple(image.shape)} it gives an output {found}; {CONTRACT}")
