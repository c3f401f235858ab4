"""Runs the program of a `.pt2` file step by step, each an operator that is known to do nothing but compute.

A program of `torch.export` is a list of calls of tensor operators. That takes no generated Python, so none of a file's
strings is ever evaluated; guards, ranges and traces, which the file also has, are not looked at.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lesionseg.exporting.exported_file import INPUT
from lesionseg.exporting.exported_program_archive import UnexpectedError

OPERATORS = frozenset(
    """
    _upsample_bilinear2d_aa adaptive_avg_pool2d adaptive_max_pool2d add add_ alias amax amin avg_pool2d batch_norm
    bmm cat channel_shuffle chunk clamp clamp_ clone contiguous conv1d conv2d conv_transpose2d detach detach_ div
    div_ dropout elu elu_ exp expand feature_dropout flatten flip gelu glu group_norm gt hardsigmoid hardswish
    hardswish_ hardtanh hardtanh_ instance_norm layer_norm leaky_relu leaky_relu_ linear log_softmax logsumexp lt matmul
    max_pool2d maximum mean minimum mish mish_ movedim mul mul_ neg pad permute pixel_shuffle pixel_unshuffle pow
    prelu relu relu6 relu6_ relu_ repeat reshape rms_norm rsqrt rsub scaled_dot_product_attention select selu selu_
    sigmoid sigmoid_ silu silu_ slice softmax softplus sqrt squeeze stack sub sub_ sum sym_size tanh tanh_ to
    transpose unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_nearest2d view where
    """.split()  # noqa: SIM905  (a hundred quoted words would hide the list)
)
"""Names in `torch.ops.aten`: none reads or writes a file, and the sizes of results follow from those of arguments.

A new network may need another; an export that is compared says which."""
NUMBERS = {"_operator.add": operator.add, "_operator.floordiv": operator.floordiv, "_operator.mul": operator.mul}
CHECKS = frozenset({"_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range", "sym_constrain_range_for_size"})
"""Operators without a result, which an honest program passes on any device but the one it was traced on."""
TARGET = re.compile(r"torch\.ops\.aten\.(\w{1,60})\.(\w{1,60})", re.ASCII)

DTYPES = {1: torch.uint8, 5: torch.int64, 7: torch.float32, 12: torch.bool}
"""By torch's numbers, see `torch._export.serde.schema.ScalarType`."""
MOST_STEPS = 20_000
MOST_ELEMENTS = 2**31
"""Of any intermediate result for one image of the network's size: 8 GiB in float32."""


@dataclass(frozen=True)
class Reference:
    """Stands for an earlier result."""

    name: str


@dataclass(frozen=True)
class Step:
    """One call."""

    function: Callable[..., Any]
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    result: str
    finished: Sequence[str]
    """Results that no later step needs."""


class ExportedProgram:
    """A checked program with its weights.

    Args:
        program: As JSON has it, see `lesionseg.exporting.exported_program_archive.Archive`.
        weights: By name.

    Raises:
        UnexpectedError, KeyError, TypeError, ValueError: It is not what `torch.export` writes, or has an operator that
            is not among `OPERATORS`.
    """

    def __init__(self, program: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        graph, signature = program["graph_module"]["graph"], program["graph_module"]["signature"]
        if len(graph["nodes"]) > MOST_STEPS:
            raise UnexpectedError(f"{len(graph['nodes'])} steps; allowed: {MOST_STEPS}")
        self.weights = dict(_bound_weights(signature["input_specs"], weights))
        self.outputs = [_output_name(spec) for spec in signature["output_specs"]]
        self._steps = _with_finished(list(_steps(graph["nodes"])), {*self.outputs, *self.weights})

    def run(self, image: Tensor, weights: Mapping[str, Tensor], *, on_result: Callable[[Any], None]) -> list[Tensor]:
        """Computes the outputs.

        Args:
            image: (B, H, W, 3) uint8 RGB.
            weights: `self.weights`, on the image's device.
            on_result: Called with each step's result.

        Returns:
            What the program calls its outputs.
        """
        values: dict[str, Any] = {**weights, INPUT: image}

        def resolved(argument: Any) -> Any:
            if isinstance(argument, Reference):
                return values[argument.name]
            return [resolved(part) for part in argument] if isinstance(argument, list) else argument

        for step in self._steps:
            keywords = {name: resolved(argument) for name, argument in step.keywords.items()}
            result = step.function(*map(resolved, step.arguments), **keywords)
            on_result(result)
            values[step.result] = result
            for name in step.finished:
                del values[name]
        return [values[name] for name in self.outputs]

    def check_sizes(self, image_size: int) -> None:
        """Follows the shapes of every step for one image, which computes and allocates nothing.

        Raises:
            UnexpectedError: A result would have more than `MOST_ELEMENTS`, or the outputs are not the image's size.
            RuntimeError, TypeError, ValueError, KeyError: The steps do not fit each other.
        """
        image = torch.empty(1, image_size, image_size, 3, dtype=torch.uint8, device="meta")
        outputs = self.run(
            image, {name: weight.to("meta") for name, weight in self.weights.items()}, on_result=_bounded
        )
        found = [(tuple(output.shape), output.dtype) for output in outputs]
        shape = (1, image_size, image_size)
        if found != [(shape, torch.float32), (shape, torch.uint8)]:
            raise UnexpectedError(f"its outputs are {found}")


def _bounded(result: Any) -> None:
    if isinstance(result, Tensor) and result.numel() > MOST_ELEMENTS:
        raise UnexpectedError(f"a result of {result.numel()} elements; allowed: {MOST_ELEMENTS}")


def _bound_weights(specs: Sequence[Mapping[str, Any]], weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Pairs the names that steps use with the weights; the one other input is the image."""
    for spec in specs:
        (kind, value), *others = spec.items()
        if others or kind not in ("parameter", "buffer", "user_input"):
            raise UnexpectedError(f"an input of kind {kind[:60]!r}")
        if kind == "user_input":
            if value["arg"] != {"as_tensor": {"name": INPUT}}:
                raise UnexpectedError(f"an input other than {INPUT}")
            continue
        yield str(value["arg"]["name"]), weights[value[f"{kind}_name"]]


def _output_name(spec: Mapping[str, Any]) -> str:
    if set(spec) != {"user_output"}:  # such as a weight that the program changes
        raise UnexpectedError(f"an output of kind {', '.join(spec)[:60]!r}")
    return str(spec["user_output"]["arg"]["as_tensor"]["name"])


def _steps(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    for node in nodes:
        target = str(node["target"])
        match = TARGET.fullmatch(target)
        if match is not None and match[1] in CHECKS:
            continue
        function = _function(target, match)
        arguments = [_argument(given["arg"]) for given in node["inputs"] if given["kind"] == 1]
        keywords = {str(given["name"]): _argument(given["arg"]) for given in node["inputs"] if given["kind"] != 1}
        (output,) = node["outputs"]
        yield Step(function, arguments, keywords, _result_name(output), ())


def _function(target: str, match: re.Match[str] | None) -> Callable[..., Any]:
    """Finds the operator of a name, if it is one of those allowed."""
    if target in NUMBERS:
        return NUMBERS[target]
    if match is None or match[1] not in OPERATORS:
        raise UnexpectedError(f"the program uses {target[:120]!r}, which is not in {__name__}.OPERATORS")
    packet = getattr(torch.ops.aten, match[1])
    if match[2] not in packet.overloads():
        raise UnexpectedError(f"the program uses {target[:120]!r}, which this torch does not have")
    function: Callable[..., Any] = getattr(packet, match[2])
    return function


def _argument(given: Mapping[str, Any]) -> Any:
    """Turns an argument as JSON has it, `{"as_int": 3}`, into a value or what stands for one."""
    ((kind, value),) = given.items()
    if kind == "as_none":
        return None
    if kind in ("as_int", "as_float", "as_bool", "as_string"):
        return _plain(value)
    if kind in ("as_ints", "as_floats", "as_bools"):
        return [_plain(part) for part in value]
    if kind == "as_tensor":
        return Reference(str(value["name"]))
    if kind == "as_tensors":
        return [Reference(str(part["name"])) for part in value]
    if kind == "as_scalar_type":
        return DTYPES[value]
    if kind == "as_sym_int":
        return _number(value)
    if kind == "as_sym_ints":
        return [_number(part) for part in value]
    raise UnexpectedError(f"an argument of kind {kind[:60]!r}")


def _plain(value: Any) -> int | float | bool | str:
    if not isinstance(value, int | float | str):
        raise UnexpectedError(f"an argument of type {type(value).__name__}")
    return value


def _number(value: Mapping[str, Any]) -> Any:
    """A whole number, or the earlier result that is one."""
    return Reference(str(value["as_name"])) if "as_name" in value else _plain(value["as_int"])


def _result_name(output: Mapping[str, Any]) -> str:
    if "as_tensor" in output:
        return str(output["as_tensor"]["name"])
    return str(output["as_sym_int"]["as_name"])


def _with_finished(steps: Sequence[Step], kept: set[str]) -> list[Step]:
    """Notes behind each step which results nothing later needs, so that they do not fill the memory."""
    needed = set(kept)
    noted: list[Step] = []
    for step in reversed(steps):
        used = {*_references([*step.arguments, *step.keywords.values()]), step.result}
        finished = sorted(used - needed)
        needed |= used
        noted.append(Step(step.function, step.arguments, step.keywords, step.result, finished))
    return noted[::-1]


def _references(arguments: Sequence[Any]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, Reference):
            yield argument.name
        elif isinstance(argument, list):
            yield from _references(argument)
