"""An exported OpenVINO model, ready to predict."""

import functools
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError
from lesionseg.exporting.embedded_facts import DIGESTS_KEY, EXPORT_AGAIN, KEY, embedded_facts
from lesionseg.exporting.exported_file import (
    INPUT,
    OUTPUTS,
    Results,
    checked_results,
    read_bounded,
    sha256_of,
)
from lesionseg.exporting.openvino_vetting import WEIGHTS_KEY, vetted_entries
from lesionseg.system.machine import usable_cores

LARGEST_XML = 64 * 2**20
"""Bytes. The deepest U-Net here has half a million."""
SIGNATURE = {INPUT: ("u8", 4), OUTPUTS[0]: ("f32", 3), OUTPUTS[1]: ("u8", 3)}


class OpenVinoEngine:
    """Runs a model that `lesionseg.export` wrote; see `lesionseg.model.engine.Engine`.

    Args:
        path: The `.xml` file; the `.bin` file lies beside it.
        device: `auto` or `cpu`, which are the same.
        threads: That one call uses; None for as many as there are cores. With fewer, so many calls run at once as the
            cores suffice for.

    Raises:
        InputError: OpenVINO is not installed or refuses the model; the files are damaged, not from one export, or hold
            anything but standard layers.
    """

    def __init__(self, path: Path, *, device: str, threads: int | None = None) -> None:
        if device not in ("auto", "cpu"):
            raise InputError(f"device is {device}; allowed for OpenVINO: auto, cpu. For a GPU use format=onnx")
        self._path = path
        contents, weights = read_bounded(path, largest=LARGEST_XML), read_bounded(path.with_suffix(".bin"))
        entries = vetted_entries(contents, len(weights), path)
        self.embedded = embedded_facts(entries.get(KEY), path, digests=entries.get(DIGESTS_KEY))
        if entries.get(WEIGHTS_KEY) != sha256_of(weights):
            raise InputError(
                f"{path.with_suffix('.bin')}: not the weights of {path.name}; copy both files of one export"
            )
        self._model = _compiled(contents, weights, path, threads or usable_cores())
        self.facts = self.embedded.model_facts(sha256_of(contents))  # which holds the weights' digest
        self.device = "CPU, OpenVINO"
        self._of_thread = threading.local()

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicts a batch; see `Engine.probability`."""
        return self.run(images)[0]

    def second_look(self, images: NDArray[np.uint8]) -> None:
        """Has none: the file resizes what it sees itself; see `Engine.second_look`."""

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch of any one size: (B, H, W, 3) uint8 RGB -> `lesionseg.exporting.exported_file.OUTPUTS`.

        A size that is new takes OpenVINO seconds, since it prepares for each.
        """
        try:
            found = self._request().infer({INPUT: images})
            probability, mask = (np.array(found[name]) for name in OUTPUTS)  # copied: the next call writes over them
        except RuntimeError as error:
            raise InputError(f"{self._path}: OpenVINO cannot run it: {_first_line(error)}") from error
        return checked_results(probability, mask, images, self._path)

    def _request(self) -> Any:
        """Returns the thread's own request, since one must not be used by two at once."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        return self._of_thread.request


def _compiled(contents: bytes, weights: bytes, path: Path, threads: int) -> Any:
    """Compiles what was checked, in float32: OpenVINO would choose bf16 by itself where the CPU has it."""
    if find_spec("openvino") is None:
        raise InputError(f"{path} needs OpenVINO: pip install 'lesionseg[openvino]'")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": usable_cores(),
        "NUM_STREAMS": max(1, usable_cores() // threads),
    }
    core = _core()
    try:
        model = core.read_model(contents, weights)
        _check_signature(model, path)
        return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise InputError(f"{path}: OpenVINO cannot open it: {_first_line(error)}; {EXPORT_AGAIN}") from error


@functools.cache
def _core() -> Any:
    """Starts OpenVINO, once: a process that forks after its threads were taken down has been seen to crash."""
    import openvino  # here: the message for those who lack it is better than a traceback

    return openvino.Core()


def _check_signature(model: Any, path: Path) -> None:
    """Checks names, types and ranks of input and outputs."""
    found = {
        name: (value.element_type.get_type_name(), value.partial_shape.rank.get_length())
        for value in (*model.inputs, *model.outputs)
        for name in value.names
    }
    if found != SIGNATURE:
        raise InputError(f"{path}: its input and outputs are {found}; allowed: {SIGNATURE}; {EXPORT_AGAIN}")


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
