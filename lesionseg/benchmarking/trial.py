"""Trying a foreign network before anything is timed."""

import torch

from lesionseg.benchmarking.missing import first_line
from lesionseg.benchmarking.subject import Subject
from lesionseg.errors import InputError


def try_out(subject: Subject, *, image_size: int, trains: bool) -> None:
    """Runs a peer once, and backwards too where it is to train; its weights stay, batch statistics move.

    Args:
        subject: Subject whose network knows nothing of lesionseg.
        image_size: Height and width in pixels.
        trains: Whether it has to learn.

    Raises:
        InputError: It gives no logits, or fails on such images.
    """
    image = torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8, device=subject.device)
    try:
        with torch.set_grad_enabled(trains), subject.autocast():
            logits = subject.segmenter.train(trains)(subject.laid_out(image))
        if trains:
            logits.mean().backward()
    except InputError:
        raise
    except Exception as error:  # a stranger's network may raise anything
        raise InputError(
            f"{subject.settings.node}: fails on images of {image_size} x {image_size} pixels ({first_line(error)}); "
            f"give another image_size, or the peer's stride (now {subject.settings.stride})"
        ) from error
    finally:
        subject.segmenter.eval().zero_grad(set_to_none=True)
