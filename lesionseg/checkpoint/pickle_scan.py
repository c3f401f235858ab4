"""A scan of a checkpoint's pickle that finds out what it asks for without doing any of it.

A pickle is a program for a small stack machine. The scan is that machine with only the instructions that tensors and
plain values take. It calls nothing, and notes each tensor instead of making it, to compare it with the storages of the
file. `torch.load(weights_only=True)` alone runs no code either, but bounds neither sizes nor numbers: of 51 greedy
pickles in tests/test_hostile_checkpoints.py it accepts 20, fills the memory with two, and ends the process with one.
"""

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

from lesionseg.errors import InputError

MOST_INSTRUCTIONS = 1_000_000
"""Limit of a pickle's instructions; a training on ten thousand images takes about 40,000."""
MOST_VALUES = 1_000_000
"""Limit of values, each counted as often as it is referred to: twenty lists of twice the previous are a million."""
MOST_CHARACTERS = 64 * 2**20
DEEPEST = 64
"""Limit of nested containers; Lightning's have about eight."""
MOST_DIMENSIONS = 8
INTEGERS = range(-(2**63), 2**64)

TENSOR = "torch._utils _rebuild_tensor_v2"
ORDERED = "collections OrderedDict"
KINDS = {8: "Double Long", 4: "Float Int", 2: "Half BFloat16 Short", 1: "Byte Char Bool"}
ITEM_SIZES = {f"torch {kind}Storage": size for size, kinds in KINDS.items() for kind in kinds.split()}
"""Bytes of one number by the kind of storage."""


class Name(NamedTuple):
    """An object of Python that a pickle names as `module name`."""

    name: str


class Storage(NamedTuple):
    """A storage of the file."""

    numbers: int
    """Count of its numbers."""


class StoredTensor(NamedTuple):
    """A tensor that fits into its storage."""

    shape: tuple[int, ...]


def check_pickle(pickled: bytes, storages: Mapping[str, int]) -> None:
    """Refuses a pickle of anything but plain values and tensors in the file's own storages, or of absurdly many.

    Plain values are None, bool, int, float and str in dict, OrderedDict, list and tuple, whose keys are str or int.

    Raises:
        InputError: The pickle is refused, or damaged.
    """
    machine = _Machine(storages)
    try:
        check_values([machine.run(pickled), *machine.attributes])
    except InputError:
        raise
    # A pickle that is cut off or makes no sense runs into an empty stack, a missing note or a wrong type.
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"its pickle is damaged ({error})") from error


class _Machine:
    """A stack, the stacks set aside at each mark, and the values remembered by number."""

    def __init__(self, storages: Mapping[str, int]) -> None:
        self.stack: list[Any] = []
        self.attributes: list[Any] = []
        """Attributes of dictionaries: torch's `_metadata`."""
        self._set_aside: list[list[Any]] = []
        self._memory: dict[int, Any] = {}
        self._storages = storages

    def run(self, pickled: bytes) -> Any:
        """Carries out the pickle's instructions and returns its value."""
        for number, (instruction, argument, _) in enumerate(pickletools.genops(pickled)):
            if number >= MOST_INSTRUCTIONS:
                raise InputError(f"its pickle has more than {MOST_INSTRUCTIONS} instructions")
            if instruction.name == "STOP":
                break
            if instruction.name not in INSTRUCTIONS:
                raise InputError(
                    f"its pickle has the instruction {instruction.name}, which neither tensors nor plain values take"
                )
            INSTRUCTIONS[instruction.name](self, argument)
        (value,) = self.stack
        return value

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self, count: int) -> list[Any]:
        """Takes the uppermost values off, the uppermost last."""
        return [self.stack.pop() for _ in range(count)][::-1]

    def mark(self, _: Any) -> None:
        self._set_aside.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[Any]:
        """Takes everything off that was pushed since the last mark."""
        taken, self.stack = self.stack, self._set_aside.pop()
        return taken

    def remember(self, number: int) -> None:
        self._memory[number] = self.stack[-1]

    def recall(self, number: int) -> None:
        self.push(self._memory[number])

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError(f"items for a {type(target).__name__}")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict):
            raise TypeError(f"keys for a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int):
                raise InputError(f"a key in it is a {type(key).__name__}; allowed: str, int")
            target[key] = value

    def name(self, name: str) -> None:
        """Notes the name of a function or class that makes tensors or dictionaries."""
        if name not in (TENSOR, ORDERED, *ITEM_SIZES):
            raise InputError(f"the file asks for {name.replace(' ', '.'):.100}; allowed: tensors and plain values")
        self.push(Name(name))

    def call(self, _: Any) -> None:
        """Notes the tensor that a call would return, or makes the empty dictionary."""
        called, arguments = self.pop(2)
        name = called.name if type(called) is Name else None
        if name == ORDERED and arguments == ():
            self.push(OrderedDict())
        elif name == TENSOR and type(arguments) is tuple:
            self.push(_tensor(*arguments))
        else:
            raise InputError("it asks for a call that no tensor and no plain value takes")

    def storage(self, _: Any) -> None:
        """Notes a storage, which must have as many bytes in the file as the pickle says."""
        word, kind, key, location, count = self.stack.pop()
        # A key that is no text is not even hashed: of a tuple deep in tuples, that would end the process.
        if (word, type(kind), type(key), type(location), type(count)) != ("storage", Name, str, str, int):
            raise TypeError("a wrong reference to a storage")
        found = self._storages.get(key)
        if found is None or found != count * ITEM_SIZES[kind.name]:
            raise InputError(f"storage {key!r:.40} is said to hold {count} numbers, but has {found or 'no'} bytes")
        self.push(Storage(count))

    def attribute(self, _: Any) -> None:
        """Notes torch's remarks on a state dict; other attributes could replace its methods."""
        state = self.stack.pop()
        if type(self.stack[-1]) is not OrderedDict or type(state) is not dict or set(state) - {"_metadata"}:
            raise InputError("it sets attributes, which neither tensors nor plain values have")
        self.attributes.append(state)


INSTRUCTIONS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "BINPERSID": _Machine.storage,
    "BUILD": _Machine.attribute,
}
"""Methods of the machine by the instruction that they carry out."""


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any, hooks: Any) -> StoredTensor:
    """Notes a tensor if its numbers are in its storage, and are no more than the storage has."""
    if type(storage) is not Storage or type(requires_grad) is not bool or hooks != OrderedDict():
        raise InputError("it has a tensor with a wrong storage, or with hooks")
    if type(shape) is not tuple or type(strides) is not tuple or not len(shape) == len(strides) <= MOST_DIMENSIONS:
        raise InputError(f"it has a tensor of other than 0 to {MOST_DIMENSIONS} dimensions")
    if any(type(number) is not int or not 0 <= number < 2**31 for number in (offset, *shape, *strides)):
        raise InputError("it has a tensor whose shape, strides or offset are no counts below 2 to the 31")
    last = offset + sum(stride * (size - 1) for stride, size in zip(strides, shape, strict=True))
    if prod(shape) > storage.numbers or (prod(shape) and last >= storage.numbers):
        raise InputError(f"it has a tensor of shape {shape}, but only {storage.numbers} numbers for it")
    return StoredTensor(shape)


def check_values(roots: Iterable[Any]) -> None:
    """Checks values without recursion, since a file decides how deep they are.

    Raises:
        InputError: They are too many or too deep, or others than plain values and tensors.
    """
    waiting = [(value, 0) for value in roots]
    values = characters = 0
    while waiting:
        value, depth = waiting.pop()
        children = list(_children(value))
        values += len(children)
        characters += len(value) if type(value) is str else 0
        if depth > DEEPEST or values > MOST_VALUES or characters > MOST_CHARACTERS:
            raise InputError(
                f"it holds more than {MOST_VALUES} values, {MOST_CHARACTERS} characters or {DEEPEST} containers within "
                "each other"
            )
        waiting += [(child, depth + 1) for child in children]


def _children(value: Any) -> Iterator[Any]:
    """Lists the values in a container, none for a plain value."""
    kind = type(value)
    if kind in (dict, OrderedDict):
        yield from (*value, *value.values())
    elif kind in (list, tuple):
        yield from value
    elif kind is int and value not in INTEGERS:
        raise InputError("it holds a whole number of more than 64 bits")
    elif kind is str and not value.isascii():
        value.encode()  # raises for half a character, which can be neither printed nor written
    elif kind not in (str, int, float, bool, type(None), StoredTensor):
        raise InputError(f"it holds a bare {kind.__name__}; allowed: tensors and plain values")
