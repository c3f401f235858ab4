"""A child that was forked after its parent has predicted: it predicts too, and never waits for its parent's threads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lesionseg.errors import InputError
from lesionseg.system.forks import refuse_gpu_after_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")

FORK = """
import os, signal, sys
import numpy as np, torch
import lesionseg
torch.set_num_threads(2)
segmenter = lesionseg.load(sys.argv[1], device="cpu", precision="fp32")
image = np.random.default_rng(0).integers(0, 255, (1500, 2000, 3), dtype=np.uint8)
expected = segmenter.predict(image)
child = os.fork()
if child == 0:
    signal.alarm(100)
    os._exit(0 if (segmenter.predict(image) == expected).all() else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Ends with the exit code of its child, which is 0 where it predicts what its parent did."""


def test_a_forked_child_predicts_what_its_parent_did(smoke_run: Path) -> None:
    command = [sys.executable, "-c", FORK, str(smoke_run / "checkpoints" / "best.ckpt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != -signal.SIGALRM, "the child waited for a thread that it does not have"
    assert done.returncode == 0, done.stderr


def test_a_model_on_a_gpu_is_refused_in_a_forked_child_with_the_way_out() -> None:
    refuse_gpu_after_fork(torch.device("cuda"), os.getpid())
    refuse_gpu_after_fork(torch.device("cpu"), os.getppid())
    with pytest.raises(InputError, match="'spawn' or 'forkserver'"):
        refuse_gpu_after_fork(torch.device("cuda"), os.getppid())
