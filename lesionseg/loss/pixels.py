"""The input of every loss: one row of float32 pixels per image."""

from torch import Tensor


def pixel_rows(logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Checks one batch and lays each image out as a row of pixels: two of (B, H * W) float32.

    The rows are float32 because in bfloat16 a sum over the 65,536 pixels of a 256 x 256 image keeps only two or three
    digits.

    Args:
        logits: Unbounded scores (B, 1, H, W), any floating point dtype.
        mask: Ground truth (B, 1, H, W) in {0, 1}, as uint8, bool or floating point.

    Raises:
        ValueError: If the shapes differ, are not (B, 1, H, W) or have no pixel, or the logits are integers.

    Example:
        >>> import torch
        >>> logits, mask = pixel_rows(torch.zeros(2, 1, 3, 3, dtype=torch.bfloat16), torch.ones(2, 1, 3, 3).bool())
        >>> logits.shape, logits.dtype, mask.dtype
        (torch.Size([2, 9]), torch.float32, torch.float32)
    """
    if logits.shape != mask.shape or logits.ndim != 4 or logits.shape[1] != 1 or logits.numel() == 0:
        raise ValueError(
            f"A loss got logits of shape {tuple(logits.shape)} and a mask of shape {tuple(mask.shape)}; both must be "
            "the same non-empty (B, 1, H, W). Resize the logits to the mask, or add the channel with mask[:, None]."
        )
    if not logits.is_floating_point():
        raise ValueError(f"A loss got logits of dtype {logits.dtype}; pass the model's floating point output.")
    return logits.flatten(1).float(), mask.flatten(1).float()
