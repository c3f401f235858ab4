"""An exported ONNX file, ready to predict with ONNX Runtime."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError, first_line
from lesionseg.exporting.embedded_facts import DIGESTS_KEY, EXPORT_AGAIN, KEY, embedded_facts
from lesionseg.exporting.exported_file import (
    INPUT,
    OUTPUTS,
    Results,
    checked_results,
    read_bounded,
    sha256_of,
)
from lesionseg.exporting.onnx_vetting import vetted_metadata
from lesionseg.system.machine import usable_cores

SIGNATURE = {INPUT: ("tensor(uint8)", 4), OUTPUTS[0]: ("tensor(float)", 3), OUTPUTS[1]: ("tensor(uint8)", 3)}
ERRORS_ONLY = 3


class OnnxEngine:
    """Runs an ONNX file that `lesionseg.export` wrote; see `lesionseg.model.engine.Engine`.

    Args:
        path: The file.
        device: `auto` (a GPU if there is one and ONNX Runtime can use it), `cpu`, `cuda` or `cuda:<number>`.
        threads: That one call uses; None for as many as there are cores.

    Raises:
        InputError: ONNX Runtime is not installed, lacks the device, or refuses the file; the file is damaged, not from
            an export, or refers to anything outside of itself.
    """

    def __init__(self, path: Path, *, device: str, threads: int | None = None) -> None:
        self._path = path
        contents = read_bounded(path)
        texts = vetted_metadata(contents, path)
        embedded = embedded_facts(texts.get(KEY), path, digests=texts.get(DIGESTS_KEY))
        self._session, self.device = _open_session(contents, path, device, threads or usable_cores())
        _check_signature(self._session, path)
        self.facts = embedded.model_facts(sha256_of(contents))
        self.embedded = embedded

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicts a batch; see `Engine.probability`."""
        return self.run(images)[0]

    def second_look(self, images: NDArray[np.uint8]) -> None:
        """Has none: the file resizes what it sees itself; see `Engine.second_look`."""

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch of any one size: (B, H, W, 3) uint8 RGB -> `lesionseg.exporting.exported_file.OUTPUTS`."""
        try:
            probability, mask = self._session.run(list(OUTPUTS), {INPUT: images})
        except Exception as error:  # ONNX Runtime's own types share no ancestor that could be imported
            raise InputError(f"{self._path}: ONNX Runtime cannot run it: {first_line(error)}") from error
        return checked_results(probability, mask, images, self._path)


def _open_session(contents: bytes, path: Path, device: str, threads: int) -> tuple[Any, str]:
    """Opens the file's bytes, so that nothing outside them can be meant, and says what it runs on."""
    if find_spec("onnxruntime") is None:
        raise InputError(f"{path} needs ONNX Runtime: pip install 'lesionseg[export]'")
    import onnxruntime  # here: the message above is better than a traceback

    providers, words = _providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY  # it warns of nodes that it moves to the CPU, which is where they belong
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not its own format, which was not vetted
    try:
        return onnxruntime.InferenceSession(contents, options, providers=providers), words
    except Exception as error:  # as in `run`
        raise InputError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot open it: {first_line(error)}; {EXPORT_AGAIN}"
        ) from error


def _providers(device: str, available: list[str]) -> tuple[list[Any], str]:
    """Chooses ONNX Runtime's execution providers for a device; what a GPU's has not, the CPU does."""
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d{1,3}))?", device)
    if match is None:
        raise InputError(f"device is {device}; allowed: auto, cpu, cuda, cuda:<number>")
    has_cuda = "CUDAExecutionProvider" in available
    if device.startswith("cuda") and not has_cuda:
        raise InputError(f"device={device}: this ONNX Runtime has no CUDA; pip install onnxruntime-gpu, or device=cpu")
    if device == "cpu" or not has_cuda:
        return ["CPUExecutionProvider"], "CPU, ONNX Runtime"
    number = int(match.group(1) or 0)
    providers = [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
    return providers, f"GPU {number}, ONNX Runtime"


def _check_signature(session: Any, path: Path) -> None:
    """Checks names, types and ranks of input and outputs."""
    found = {value.name: (value.type, len(value.shape)) for value in (*session.get_inputs(), *session.get_outputs())}
    if found != SIGNATURE:
        raise InputError(f"{path}: its input and outputs are {found}; allowed: {SIGNATURE}; {EXPORT_AGAIN}")
