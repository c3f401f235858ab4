"""Files that a stranger may send in place of a checkpoint: each must end in a clear error, and do nothing else."""

import copy
import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch

from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO
from lesionseg.checkpoint.pickle_scan import MOST_INSTRUCTIONS, check_pickle
from lesionseg.checkpoint.reading import LARGEST_DIRECTORY, LARGEST_PICKLE, open_archive, read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.evaluate import evaluate

Checkpoint = dict[str, Any]


@pytest.fixture(scope="module")
def real_file(smoke_run: Path) -> Path:
    return smoke_run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def original(real_file: Path) -> Checkpoint:
    return read(real_file)


@pytest.fixture
def real(original: Checkpoint) -> Checkpoint:
    """A real checkpoint, the test's own to spoil."""
    return copy.deepcopy(original)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What a payload makes when it runs."""
    return tmp_path / "ran"


def use(path: Path) -> None:
    """Opens all of a file that any verb opens."""
    checkpoint = read(path)
    segmenter_of(checkpoint)
    source_of(checkpoint)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def saved(path: Path, value: Any) -> Path:
    torch.save(value, path)
    return path


def zipped(pickled: bytes, storages: Mapping[str, bytes] | None = None) -> bytes:
    """A zip file as torch.save writes it around a pickle."""
    entries = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n"}
    return zip_of({f"archive/{name}": data for name, data in entries.items()}, storages or {})


def zip_of(entries: Mapping[str, bytes], storages: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return file.getvalue()


# Code


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def text_line(marker: Path) -> str:
    return f"__import__('os').mkdir({str(marker)!r})"


def by_instruction(marker: Path) -> bytes:
    return b"(V" + str(marker).encode() + b"\nios\nmkdir\n."


def by_object(marker: Path) -> bytes:
    return b"(cos\nmkdir\nV" + str(marker).encode() + b"\no."


def by_lookup(marker: Path) -> bytes:
    """`os.mkdir` by two texts, as later protocols do it."""
    words = [b"\x8c" + bytes([len(word)]) + word for word in (b"os", b"mkdir")]
    return b"\x80\x04" + b"".join(words) + b"\x93\x8c" + bytes([len(str(marker))]) + str(marker).encode() + b"\x85R."


def by_state(marker: Path) -> bytes:
    """A call hidden in what sets an object's state."""
    return pickle.dumps(Call(OrderedDict, state={"a": Call(os.mkdir, str(marker))}), 2)


def by_legal_call(marker: Path) -> bytes:
    """A call as an argument of the call that makes tensors."""
    argument = Call(os.mkdir, str(marker))
    return pickle.dumps([argument, Call(torch._utils._rebuild_tensor_v2, None, 0, (), (), False, argument)][:1], 2)


PAYLOADS: dict[str, Callable[[Path], bytes]] = {
    "os.mkdir": lambda marker: pickle.dumps(Call(os.mkdir, str(marker)), 2),
    "os.system": lambda marker: pickle.dumps(Call(os.system, f"mkdir {marker}"), 2),
    "eval": lambda marker: pickle.dumps(Call(eval, text_line(marker)), 2),
    "exec": lambda marker: pickle.dumps(Call(exec, text_line(marker)), 2),
    "subprocess": lambda marker: pickle.dumps(Call(subprocess.check_call, ["mkdir", str(marker)]), 2),
    "io.open": lambda marker: pickle.dumps(Call(io.open, str(marker), "w"), 2),
    "Path.mkdir": lambda marker: pickle.dumps(Call(Path.mkdir, marker), 4),
    "pickle in pickle": lambda m: pickle.dumps(Call(pickle.loads, pickle.dumps(Call(os.mkdir, str(m)))), 2),
    "old instruction": by_instruction,
    "object instruction": by_object,
    "looked up by texts": by_lookup,
    "in a state": by_state,
    "in a list": by_legal_call,
    "as a key": lambda marker: pickle.dumps({Call(os.mkdir, str(marker)): 1}, 2),
    "in the text protocol": lambda marker: pickle.dumps(Call(os.mkdir, str(marker)), 0),
    "in the latest protocol": lambda marker: pickle.dumps(Call(os.mkdir, str(marker)), 5),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_code_is_refused_and_not_run(tmp_path: Path, marker: Path, payload: Callable[[Path], bytes]) -> None:
    path = written(tmp_path / "evil.ckpt", zipped(payload(marker)))
    with pytest.raises(InputError, match=r"evil\.ckpt: cannot be opened: .*(asks for|instruction)"):
        use(path)
    assert not marker.exists()


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_the_same_code_would_run_if_the_file_was_trusted(marker: Path, payload: Callable[[Path], bytes]) -> None:
    """Without this, the test above would pass for payloads that do nothing anywhere."""
    with suppress(TypeError):  # what the payload returned does not fit where it is put: it has run
        pickle.loads(payload(marker))
    assert marker.exists()


def test_the_message_says_what_the_file_asks_for(tmp_path: Path) -> None:
    path = written(tmp_path / "evil.ckpt", zipped(b"cos\nsystem\n(X\x04\x00\x00\x00truetR."))
    with pytest.raises(InputError, match=r"evil\.ckpt: .*the file asks for os\.system; allowed: tensors and plain"):
        read(path)


NAMES = [
    "builtins eval", "builtins getattr", "builtins bytearray", "builtins set", "__builtin__ eval", "nt system",
    "posix system", "importlib import_module", "runpy run_path", "operator attrgetter", "webbrowser open",
    "ctypes CDLL", "torch load", "torch.serialization load", "torch.hub load", "torch.jit load",
    "torch._utils _rebuild_tensor", "torch._utils _rebuild_parameter", "torch._utils _rebuild_wrapper_subclass",
    "torch._tensor _rebuild_from_type_v2", "torch Tensor", "torch.nn.modules.linear Linear",
    "torch.storage UntypedStorage", "torch Size", "collections Counter", "numpy.core.multiarray _reconstruct",
    "omegaconf.dictconfig DictConfig", "hydra.utils instantiate", "lesionseg.checkpoint.reading os.system",
    "lesionseg.model.unet UNet", "collections  OrderedDict", "Collections OrderedDict",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_other_name_of_pythons_is_refused_even_if_it_is_not_called(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.partition(" ")
    path = written(tmp_path / "names.ckpt", zipped(f"c{module}\n{attribute}\n.".encode()))
    with pytest.raises(InputError, match=r"names\.ckpt: .*the file asks for"):
        read(path)


PLACES: dict[str, Callable[[Checkpoint, Any], None]] = {
    "configuration": lambda real, payload: real["lesionseg"]["config"]["model"].update(depth=payload),
    "split": lambda real, payload: real["lesionseg"]["split"]["parts"]["test"].append(payload),
    "optimizer": lambda real, payload: real["optimizer_states"].append(payload),
    "callbacks": lambda real, payload: real["callbacks"].update(Evil=payload),
    "weights": lambda real, payload: real["state_dict"].update({"segmenter.mean": payload}),
    "unknown key": lambda real, payload: real.update(evil=payload),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_code_is_found_anywhere_in_a_real_checkpoint(
    tmp_path: Path, marker: Path, real: Checkpoint, place: Callable[[Checkpoint, Any], None]
) -> None:
    place(real, Call(os.mkdir, str(marker)))
    with pytest.raises(InputError, match=r"evil\.ckpt: .*the file asks for (posix|nt)\.mkdir"):
        use(saved(tmp_path / "evil.ckpt", real))
    assert not marker.exists()


def test_resuming_refuses_code_too(tmp_path: Path, marker: Path, real: Checkpoint) -> None:
    real["optimizer_states"].append(Call(os.mkdir, str(marker)))
    with pytest.raises(InputError, match=r"evil\.ckpt: .*the file asks for"):
        AtomicCheckpointIO().load_checkpoint(saved(tmp_path / "evil.ckpt", real), weights_only=False)
    assert not marker.exists()


# Other kinds of files


def in_tar(marker: Path) -> bytes:
    """As torch wrote before version 0.2."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("pickle", "storages", "tensors"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return file.getvalue()


def in_old_format(marker: Path) -> bytes:
    """As torch wrote before version 1.6."""
    file = io.BytesIO()
    torch.save({"a": torch.ones(3)}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


OTHER_FILES: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "one byte": lambda _: b"P",
    "zeros": lambda _: bytes(10_000),
    "noise": lambda _: random.Random(0).randbytes(10_000),
    "text": lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "plain pickle": lambda marker: pickle.dumps(Call(os.mkdir, str(marker))),
    "tar": in_tar,
    "format before torch 1.6": in_old_format,
    "only a zip's end": lambda _: zip_of({}, {}),
    "only a zip's beginning": lambda _: b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("content", OTHER_FILES.values(), ids=OTHER_FILES.keys())
def test_files_of_other_kinds_are_refused(tmp_path: Path, marker: Path, content: Callable[[Path], bytes]) -> None:
    with pytest.raises(InputError, match=r"other\.ckpt: cannot be opened: "):
        use(written(tmp_path / "other.ckpt", content(marker)))
    assert not marker.exists()


# Zip files that lie

SMALL = pickle.dumps({"a": 1}, 2)


def patched(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


def directory_of(content: bytes) -> int:
    return struct.unpack_from("<L", content, len(content) - 6)[0]  # type: ignore[no-any-return]


def with_directory(content: bytes, directory: bytes) -> bytes:
    """Puts another directory in place of a zip file's own."""
    start = directory_of(content)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(directory), start, 0)
    return content[:start] + directory + end


def with_two_of_one_name() -> bytes:
    first, second = b"archive/data.pkl", b"archive/data.pkz"
    return zip_of({first.decode(): SMALL, second.decode(): SMALL}, {}).replace(second, first)


def with_overlap() -> bytes:
    """Two names for the same bytes, as in zip bombs whose entries share one compressed kernel."""
    content = zipped(SMALL, {"0": bytes(8), "1": bytes(8)})
    second = content.index(b"PK\x01\x02", content.rindex(b"archive/data/0"))
    first_offset = content[second - 4 - len(b"archive/data/0") : second - len(b"archive/data/0")]
    return patched(content, second + 42, first_offset)


def with_hidden_directory() -> bytes:
    """An end that a reader searching backwards finds first, behind the one that is at the end."""
    content = zipped(SMALL)
    comment = zipped(SMALL)[-22:]
    return content[:-2] + struct.pack("<H", len(comment)) + comment


def with_64_bit_end_elsewhere() -> bytes:
    content = zipped(SMALL)
    start, end = directory_of(content), len(content) - 22
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 3, 3, end - start, start)
    return content[:end] + end_64 + struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1) + content[end:]


def named(name: str) -> Callable[[], bytes]:
    return lambda: zip_of({"archive/data.pkl": SMALL, name: b"1"}, {})


def first_entry_changed(place: int, new: bytes) -> Callable[[], bytes]:
    """Changes the directory's first entry, that of data.pkl."""
    return lambda: patched(zipped(SMALL), directory_of(zipped(SMALL)) + place, new)


def bomb(name: str) -> Callable[[], bytes]:
    entries = {"archive/data.pkl": SMALL} | {name: bytes(100 * 2**20)}
    return lambda: zip_of(entries, {}, zipfile.ZIP_DEFLATED)


LYING_ZIPS: dict[str, Callable[[], bytes]] = {
    "pickle that inflates a thousandfold": lambda: bomb("archive/data.pkl")(),
    "storage that inflates a thousandfold": lambda: bomb("archive/data/0")(),
    "compressed a little": lambda: zip_of({"archive/data.pkl": SMALL * 50}, {}, zipfile.ZIP_DEFLATED),
    "compressed otherwise": lambda: zip_of({"archive/data.pkl": SMALL * 50}, {}, zipfile.ZIP_LZMA),
    "two of one name": with_two_of_one_name,
    "one inside another": with_overlap,
    "no pickle": lambda: zip_of({"archive/version": b"3"}, {"0": bytes(4)}),
    "pickle of 64 MiB": lambda: zipped(bytes(LARGEST_PICKLE + 1)),
    "endless directory": lambda: with_directory(zipped(SMALL), b"PK\x01\x02" + bytes(LARGEST_DIRECTORY)),
    "directory of thousands": lambda: with_directory(
        zipped(SMALL), zipped(SMALL)[directory_of(zipped(SMALL)) : -22] * 50_000
    ),
    "name that goes up": named("archive/../../evil"),
    "name from the root": named("/tmp/evil"),
    "name of a Windows drive": named("C:\\evil"),
    "name with a backslash": named("archive\\data\\0"),
    "name of a folder": named("archive/data/"),
    "name with a zero byte": lambda: named("archive/data/0?")().replace(b"data/0?", b"data/0\0"),
    "name in capitals": named("archive/DATA.PKL"),
    "name in another folder": named("other/version"),
    "name beside the folder": named("version"),
    "program among the entries": named("archive/code/__torch__.py"),
    "constants of TorchScript": named("archive/constants.pkl"),
    "something ahead of it": lambda: b"#!/bin/sh\nexit\n" + zipped(SMALL),
    "zip behind a zip": lambda: zipped(SMALL) + zipped(SMALL),
    "something behind it": lambda: zipped(SMALL) + b"more",
    "comment": lambda: zipped(SMALL)[:-2] + b"\x04\x00more",
    "directory hidden in a comment": with_hidden_directory,
    "second end elsewhere": with_64_bit_end_elsewhere,
    "end of 64 bits cut off": lambda: zipped(SMALL)[:-22] + b"PK\x06\x07" + bytes(16) + zipped(SMALL)[-22:],
    "encrypted": first_entry_changed(8, b"\x01\x00"),
    "absurd size": first_entry_changed(20, b"\xf0\xff\xff\xff\xf0\xff\xff\xff"),
    "absurd place": first_entry_changed(42, b"\xf0\xff\xff\xff"),
    "wrong checksum": first_entry_changed(16, b"\x01\x02\x03\x04"),
    "another name in the directory": first_entry_changed(46, b"brchive"),
    "directory of noise": lambda: with_directory(zipped(SMALL), random.Random(0).randbytes(200)),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("content", LYING_ZIPS.values(), ids=LYING_ZIPS.keys())
def test_zip_files_that_lie_are_refused(tmp_path: Path, content: Callable[[], bytes]) -> None:
    path = written(tmp_path / "zip.ckpt", content())
    with pytest.raises(InputError, match=r"zip\.ckpt: cannot be opened: ") as caught:
        use(path)
    assert "not a lesionseg checkpoint" not in str(caught.value)  # it never came to looking into it
    assert not (tmp_path.parent / "evil").exists()


def test_the_zip_file_around_these_would_pass(tmp_path: Path) -> None:
    path = written(tmp_path / "plain.ckpt", zipped(SMALL, {"0": bytes(4)}))
    assert open_archive(path).storages == {"0": 4}
    with pytest.raises(InputError, match="not a lesionseg checkpoint"):
        read(path)


# Damage


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, real_file: Path, share: float) -> None:
    content = real_file.read_bytes()
    with pytest.raises(InputError, match=r"cut\.ckpt: cannot be opened: "):
        use(written(tmp_path / "cut.ckpt", content[: int(share * len(content))]))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or one != one)


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_noticed_or_changes_nothing(
    tmp_path: Path, real_file: Path, original: Checkpoint, seed: int
) -> None:
    content, dice = real_file.read_bytes(), random.Random(seed)
    refused = 0
    for _ in range(50):
        place = dice.randrange(len(content))
        flipped = bytes([content[place] ^ (1 << dice.randrange(8))])
        path = written(tmp_path / "flipped.ckpt", patched(content, place, flipped))
        try:
            found = read(path)
        except InputError:
            refused += 1
        else:
            assert same(found, original), f"byte {place} is another, and so is the checkpoint"
    assert refused > 25  # most bytes are weights, and their checksums are checked


def test_a_flipped_bit_of_a_weight_is_called_damage(tmp_path: Path, real_file: Path) -> None:
    content = real_file.read_bytes()
    weights = read(real_file)["state_dict"]["segmenter.network.head.weight"].numpy().tobytes()
    place = content.index(weights) + 3
    path = written(tmp_path / "flipped.ckpt", patched(content, place, bytes([content[place] ^ 64])))
    with pytest.raises(InputError, match=r"flipped\.ckpt: .*is damaged \(its checksum does not fit\)"):
        read(path)


@pytest.mark.parametrize("seed", range(4))
def test_a_pickle_of_noise_in_a_sound_zip_file_is_refused(tmp_path: Path, real_file: Path, seed: int) -> None:
    """What somebody does who mends the checksums; nothing but errors that say so may come of it."""
    dice = random.Random(seed)
    archive = open_archive(real_file)
    refused = 0
    for _ in range(50):
        pickled = bytearray(archive.pickle)
        for _ in range(3):
            pickled[dice.randrange(len(pickled))] = dice.randrange(256)
        try:
            check_pickle(bytes(pickled), archive.storages)
        except InputError:
            refused += 1
    assert refused > 30  # the rest changes a letter of a text or a digit of a number


# Pickles of tensors and plain values that ask for too much


class RawStorage:
    """A storage of the file, with whatever it is said to be."""

    def __init__(self, numbers: Any = 2, *, kind: Any = torch.FloatStorage, key: Any = "0") -> None:
        self.reference = ("storage", kind, key, "cpu", numbers)


class StoragePickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return value.reference if isinstance(value, RawStorage) else None


def tensor(
    storage: Any = None, offset: Any = 0, shape: Any = (2,), strides: Any = (1,), grad: Any = False, hooks: Any = None
) -> Call:
    hooks = OrderedDict() if hooks is None else hooks
    storage = RawStorage() if storage is None else storage
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, shape, strides, grad, hooks)


def with_storage(value: Any) -> bytes:
    """A checkpoint file of the value, with one storage of two float32 numbers."""
    file = io.BytesIO()
    StoragePickler(file, 2).dump(value)
    return zipped(file.getvalue(), {"0": struct.pack("<2f", 1, 2)})


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def laughs() -> list[Any]:
    """Two times two times two ... the same few values."""
    value: list[Any] = ["ha"]
    for _ in range(50):
        value = [value, value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def called_on_many() -> bytes:
    """A thousand dictionaries of ten thousand items each, from one list: `OrderedDict` may be called, after all."""
    pairs = [(number, 0) for number in range(10_000)]
    return zipped(pickle.dumps([Call(OrderedDict, pairs) for _ in range(1000)], 2))


HOOKED = OrderedDict({0: 1})
DEEP = b")" + b"\x85" * 900_000
"""A tuple in a tuple in a tuple ..., whose hash overflows the stack and ends the process."""
GREEDY: dict[str, Callable[[], bytes]] = {
    "tensor of one number a billion times": lambda: with_storage(tensor(shape=(10**9,), strides=(0,))),
    "tensor of overlapping rows": lambda: with_storage(tensor(shape=(2, 2), strides=(0, 1))),
    "tensor longer than its storage": lambda: with_storage(tensor(shape=(3,))),
    "tensor behind its storage": lambda: with_storage(tensor(offset=1)),
    "tensor ahead of its storage": lambda: with_storage(tensor(offset=-1)),
    "tensor with a negative size": lambda: with_storage(tensor(shape=(-2,))),
    "tensor with a negative stride": lambda: with_storage(tensor(strides=(-1,), offset=1)),
    "tensor of absurd shape": lambda: with_storage(tensor(shape=(10**18, 10**18), strides=(1, 1))),
    "empty tensor of absurd shape": lambda: with_storage(tensor(shape=(0, 10**30), strides=(1, 1))),
    "tensor of a thousand dimensions": lambda: with_storage(tensor(shape=(1,) * 1000, strides=(1,) * 1000)),
    "tensor without strides": lambda: with_storage(tensor(strides=())),
    "tensor of fractions": lambda: with_storage(tensor(shape=(2.0,))),
    "tensor of yes and no": lambda: with_storage(tensor(shape=(True,))),
    "tensor with a text for a shape": lambda: with_storage(tensor(shape="2")),
    "tensor without a storage": lambda: with_storage(tensor(storage="0")),
    "tensor with hooks": lambda: with_storage(tensor(hooks=HOOKED)),
    "tensor with half its arguments": lambda: with_storage(Call(torch._utils._rebuild_tensor_v2, RawStorage())),
    "tensor with further data": lambda: with_storage(
        Call(torch._utils._rebuild_tensor_v2, RawStorage(), 0, (2,), (1,), False, OrderedDict(), {"neg": True})
    ),
    "storage longer than the file": lambda: with_storage(tensor(RawStorage(10**12))),
    "storage of negative length": lambda: with_storage(tensor(RawStorage(-2))),
    "storage of a length in words": lambda: with_storage(tensor(RawStorage("2"))),
    "storage of wider numbers": lambda: with_storage(tensor(RawStorage(kind=torch.DoubleStorage))),
    "storage that is not there": lambda: with_storage(tensor(RawStorage(key="1"))),
    "storage of another file": lambda: with_storage(tensor(RawStorage(key="../../etc/passwd"))),
    "storage with a list for a name": lambda: with_storage(tensor(RawStorage(key=["0"]))),
    "storage on its own": lambda: with_storage({"a": RawStorage()}),
    "class on its own": lambda: with_storage({"a": OrderedDict}),
    "class called on thousands": called_on_many,
    "class called for gigabytes": lambda: zipped(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."),
    "dictionary whose methods are replaced": lambda: zipped(pickle.dumps(Call(OrderedDict, state={"items": 1}), 2)),
    "lists in lists": lambda: zipped(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    "two to the fifty values": lambda: zipped(pickle.dumps(laughs(), 2)),
    "two to the fifty texts": lambda: zipped(pickle.dumps(["x" * 10**6] * 100, 2)),
    "list in itself": lambda: zipped(pickle.dumps(circle(), 2)),
    "millions of empty lists": lambda: zipped(b"\x80\x02](" + b"]" * (MOST_INSTRUCTIONS + 1) + b"e."),
    "note of an absurd number": lambda: zipped(b"\x80\x02]r\xff\xff\xff\xffj\xfe\xff\xff\xff."),
    "text of an absurd length": lambda: zipped(b"\x80\x02X\xff\xff\xff\xffa."),
    "bytes of an absurd length": lambda: zipped(b"\x80\x05\x8e" + b"\xff" * 8 + b"."),
    "array of an absurd length": lambda: zipped(b"\x80\x05\x96" + b"\xff" * 8 + b"."),
    "number of a thousand digits": lambda: zipped(pickle.dumps(10**400, 2)),
    "half a character": lambda: zipped(pickle.dumps("\ud800", 2)),
    "bytes": lambda: zipped(pickle.dumps(b"a", 5)),
    "set": lambda: zipped(pickle.dumps({1}, 5)),
    "complex number": lambda: zipped(pickle.dumps(1j, 2)),
    "key that is no text": lambda: zipped(pickle.dumps({(1, 2): 3}, 2)),
    "key that cannot be one": lambda: zipped(b"\x80\x02}]Ns."),
    "key deep in tuples": lambda: zipped(b"\x80\x02}" + DEEP + b"Ns."),
    "storage with a name deep in tuples": lambda: zipped(
        b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\n" + DEEP + b"X\x03\0\0\0cpuK\x02tQ."
    ),
    "extension": lambda: zipped(b"\x80\x02\x82\x01."),
    "nothing in it": lambda: zipped(b"\x80\x02."),
    "no end": lambda: zipped(SMALL[:-1]),
    "no instructions": lambda: zipped(b""),
}


@pytest.mark.parametrize("content", GREEDY.values(), ids=GREEDY.keys())
def test_pickles_that_ask_for_too_much_are_refused(tmp_path: Path, content: Callable[[], bytes]) -> None:
    with pytest.raises(InputError, match=r"greedy\.ckpt: cannot be opened: ") as caught:
        use(written(tmp_path / "greedy.ckpt", content()))
    assert "not a lesionseg checkpoint" not in str(caught.value)  # it never came to looking into it
    assert "torch.load" not in str(caught.value)  # nor to loading it
    assert len(str(caught.value)) < 1000


def test_the_pickle_around_these_would_pass(tmp_path: Path) -> None:
    path = written(tmp_path / "plain.ckpt", with_storage({"a": tensor(), "b": nested(50), "c": OrderedDict(d=None)}))
    archive = open_archive(path)
    check_pickle(archive.pickle, archive.storages)
    assert torch.load(path, weights_only=True)["a"].tolist() == [1, 2]


# Checkpoints of which something is missing or wrong

WRONG = [None, True, 5, -1, 10**15, 1.5, float("nan"), "text", [], {}, [1], {"a": 1}]
FIELDS: dict[str, list[Any]] = {
    "lesionseg": [None, 5, [], {}],
    "lesionseg.format": [None, True, 1.0, "1", 0, 2, [], {}],
    "lesionseg.config": [None, 5, [], {}],
    "lesionseg.config.image_size": [
        None,
        True,
        "160",
        160.0,
        31,
        -160,
        4097,
        10**15,
        float("inf"),
        float("nan"),
        [160],
    ],
    "lesionseg.config.seed": [None, "0", -1, 2**63, 0.5],
    "lesionseg.config.name": [None, 5, ["a"], {"a": "b"}],
    "lesionseg.config.model": [None, 5, "UNet", []],
    "lesionseg.config.segmenter": [None, 5, "text", []],
    "lesionseg.config.data": [None, 5, "text", [], {"train": {"a": {5: 5}}}],
    "lesionseg.config.optimizer": [{5: 5}, {"a": [{5: 5}]}, (1, 2)],
    "lesionseg.split": [None, 5, [], {}],
    "lesionseg.split.parts": [None, [], {}, {"train": []}],
    "lesionseg.split.parts.test": [None, 5, "text", [5], [None], {"a": 1}],
    "lesionseg.split.files": [None, 5, "text", [], ["a"], {"a": 5}, {"a": ["1", "2"]}],
    "lesionseg.split.sha256": [None, 5, "", "x" * 64, "0" * 63, "0" * 64 + "\n"],
    "lesionseg.code": [None, 5, {}, {"version": 1}],
    "lesionseg.libraries": [None, 5, {"torch": 2}],
    "lesionseg.metrics": [None, 5, {"val/dice": "good"}, {"val/dice": [1]}],
    "state_dict": [None, 5, [], "text", {"a": 1}, {5: torch.ones(1)}],
    "epoch": [None, True, "1", -1, 2**63, 1.0],
    "global_step": [None, "1", -1, 1.0],
    "pytorch-lightning_version": [None, 2, "", "1.9.0", "2.6", "two", "2.6.0; rm -rf /", "2.6.0\n"],
}
OPTIONAL = ("optimizer", "files")
"""May be missing."""


def put(contents: Any, place: str, value: Any) -> None:
    *path, last = place.split(".")
    for key in path:
        contents = contents[key]
    contents[last] = value


def short(value: Any) -> str:
    return repr(value)[:40]


@pytest.mark.parametrize(
    ("place", "value"),
    [pytest.param(place, value, id=f"{place}={short(value)}") for place in FIELDS for value in FIELDS[place]],
)
def test_wrong_contents_are_refused(tmp_path: Path, real: Checkpoint, place: str, value: Any) -> None:
    put(real, place, value)
    with pytest.raises(
        InputError, match=r"wrong\.ckpt: cannot be opened: (it is incomplete|not a lesionseg checkpoint)"
    ):
        use(saved(tmp_path / "wrong.ckpt", real))


@pytest.mark.parametrize("place", [place for place in FIELDS if place.rpartition(".")[2] not in OPTIONAL])
def test_missing_contents_are_refused_and_named(tmp_path: Path, real: Checkpoint, place: str) -> None:
    *path, last = place.split(".")
    section: Any = real
    for key in path:
        section = section[key]
    del section[last]
    with pytest.raises(InputError, match=rf"missing\.ckpt: (?s:.*)({place}|not a lesionseg checkpoint)"):
        use(saved(tmp_path / "missing.ckpt", real))


# Models that do not fit, or are none

MODELS: dict[str, Callable[[dict[str, Any]], object]] = {
    "os.system": lambda model: model.update(_target_="os.system", command="true"),
    "re-exported module": lambda model: model.update(_target_="lesionseg.model.unet.torch"),
    "re-exported function": lambda model: model.update(_target_="lesionseg.model.unet.checkpoint"),
    "re-exported class": lambda model: model.update(_target_="lesionseg.model.unet.PyramidPooling"),
    "function of a re-exported module": lambda model: model.update(_target_="lesionseg.model.unet.torch.load"),
    "class of torch": lambda model: model.update(_target_="torch.nn.Identity"),
    "block": lambda model: (model.clear(), model.update(BLOCK)),
    "pyramid of absurd width": lambda model: (model.clear(), model.update(PYRAMID)),
    "segmenter for a network": lambda model: model.update(_target_="lesionseg.model.segmenter.Segmenter"),
    "protocol": lambda model: model.update(_target_="lesionseg.model.segmenter.Network"),
    "source for a network": lambda model: model.update(_target_="lesionseg.data.folder.Folder"),
    "module that is not there": lambda model: model.update(_target_="lesionseg.model.nothing.UNet"),
    "class that is not there": lambda model: model.update(_target_="lesionseg.model.unet.Nothing"),
    "private module": lambda model: model.update(_target_="lesionseg.model._unet.UNet"),
    "private class": lambda model: model.update(_target_="lesionseg.model.unet._UNet"),
    "package itself": lambda model: model.update(_target_="lesionseg.model.UNet"),
    "deeper module": lambda model: model.update(_target_="lesionseg.model.unet.nn.UNet"),
    "two dots": lambda model: model.update(_target_="lesionseg.model..unet.UNet"),
    "look-alike letter": lambda model: model.update(_target_="lesionseg.model.unet.UN\N{CYRILLIC SMALL LETTER IE}t"),
    "line break": lambda model: model.update(_target_="lesionseg.model.unet.UNet\n"),
    "path": lambda model: model.update(_target_="lesionseg/model/../../evil.UNet"),
    "no target": lambda model: model.pop("_target_"),
    "number for a target": lambda model: model.update(_target_=5),
    "list for a target": lambda model: model.update(_target_=["lesionseg.model.unet.UNet"]),
    "target in a setting": lambda model: model.update(depth={"_target_": "os.system", "command": "true"}),
    "target in a list": lambda model: model.update(depth=[{"_target_": "os.system", "command": "true"}]),
    "partial": lambda model: model.update(_partial_=True),
    "positional": lambda model: model.update(_args_=[1]),
    "recursive": lambda model: model.update(_recursive_=True),
    "converted": lambda model: model.update(_convert_="all"),
    "interpolated variable": lambda model: model.update(activation="${oc.env:HOME}"),
    "interpolated number": lambda model: model.update(depth="${oc.decode:4}"),
    "interpolated code": lambda model: model.update(depth="${eval:1+1}"),
    "number for a name": lambda model: model.update({5: 5}),
    "unknown setting": lambda model: model.update(colour="red"),
    "missing setting": lambda model: model.pop("depth"),
    "other depth": lambda model: model.update(depth=model["depth"] + 1),
    "other block": lambda model: model.update(block="residual" if model["block"] == "plain" else "plain"),
    "unknown block": lambda model: model.update(block="__class__"),
    "largest model there is": lambda model: model.update(HUGE),
}
BLOCK = {"_target_": "lesionseg.model.blocks.PlainBlock", "in_channels": 3, "out_channels": 1}
BLOCK |= {"normalisation": "batch", "activation": "relu"}
PYRAMID = {"_target_": "lesionseg.model.blocks.PyramidPooling", "channels": 10**9}
PYRAMID |= {"normalisation": "batch", "activation": "relu"}
HUGE = {"base_channels": 512, "max_channels": 4096, "decoder_max_channels": 4096, "depth": 7, "blocks_per_stage": 8}


def refused_as_model(path: Path) -> None:
    with pytest.raises(InputError, match=r"the checkpoint's model cannot be rebuilt: |valid string") as caught:
        segmenter_of(read(path))
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("spoil", MODELS.values(), ids=MODELS.keys())
def test_models_other_than_the_trained_one_are_refused(
    tmp_path: Path, real: Checkpoint, spoil: Callable[[dict[str, Any]], object]
) -> None:
    spoil(real["lesionseg"]["config"]["model"])
    refused_as_model(saved(tmp_path / "model.ckpt", real))


NUMBERS = [None, True, "4", 4.5, -1, 0, 10**18, 2**63, float("inf"), float("nan"), [4], {}]
WHOLE = ("base_channels", "max_channels", "decoder_max_channels", "depth", "blocks_per_stage", "stem_stride")
CHOICES = ("block", "normalisation", "activation", "upsampling", "context", "dropout", "activation_checkpointing")
ODD = [None, "no", -1, 10**18, float("inf"), float("nan"), [1], {}]


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, id=f"{name}={short(value)}") for name in WHOLE for value in NUMBERS]
    + [pytest.param(name, value, id=f"{name}={short(value)}") for name in CHOICES for value in ODD],
)
def test_settings_out_of_range_or_of_other_types_are_refused(real: Checkpoint, name: str, value: Any) -> None:
    real["lesionseg"]["config"]["model"][name] = value
    with pytest.raises(InputError, match="the checkpoint's model cannot be rebuilt: "):
        segmenter_of(real)


SEGMENTERS: dict[str, Any] = {
    "nothing": {},
    "two channels": {"mean": [1.0, 2.0], "std": [1.0, 2.0]},
    "texts": {"mean": ["a", "b", "c"]},
    "text": {"mean": "abc"},
    "endless": {"mean": [float("inf")] * 3},
    "no numbers": {"std": [float("nan")] * 3},
    "zero spread": {"std": [0.0, 1.0, 1.0]},
    "absurd mean": {"mean": [2**63] * 3},
    "lists in lists": {"mean": [[1.0], [1.0], [1.0]]},
    "threshold of zero": {"threshold": 0.0},
    "threshold in words": {"threshold": "0.5"},
    "threshold of yes": {"threshold": True},
    "threshold of nothing": {"threshold": None},
    "threshold that is none": {"threshold": float("nan")},
    "unknown setting": {"colour": "red"},
    "another network": {"network": {"_target_": "os.system"}},
    "no network": {"network": None},
    "partial": {"_partial_": True},
    "number for a name": {5: 5},
}


@pytest.mark.parametrize("settings", SEGMENTERS.values(), ids=SEGMENTERS.keys())
def test_segmenters_out_of_range_are_refused(tmp_path: Path, real: Checkpoint, settings: dict[str, Any]) -> None:
    config = real["lesionseg"]["config"]
    config["segmenter"] = config["segmenter"] | settings if settings else {}
    refused_as_model(saved(tmp_path / "model.ckpt", real))


HEAD = "segmenter.network.head.weight"
COUNTER = "segmenter.network.encoder.0.0.0.1.num_batches_tracked"


def views_of_one(state: dict[str, Any]) -> None:
    """Gives all weights the same few numbers, so that copies of them take more than the file has."""
    numbers = torch.ones(max(tensor.numel() for tensor in state.values()))
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = numbers[: tensor.numel()].view(tensor.shape)


def with_value(value: float, name: str = HEAD) -> Callable[[dict[str, Any]], object]:
    return lambda state: state[name].view(-1)[:1].fill_(value)


WEIGHTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "none": lambda state: state.clear(),
    "one missing": lambda state: state.pop(HEAD),
    "one too many": lambda state: state.update({"segmenter.more": torch.ones(1)}),
    "wider": lambda state: state.update({HEAD: torch.ones(1, 4000, 1, 1)}),
    "flat": lambda state: state.update({HEAD: state[HEAD].flatten()}),
    "empty": lambda state: state.update({HEAD: torch.ones(0)}),
    "whole numbers": lambda state: state.update({HEAD: state[HEAD].long()}),
    "yes and no": lambda state: state.update({HEAD: state[HEAD].bool()}),
    "fractions for a counter": lambda state: state.update({COUNTER: torch.tensor(1.5)}),
    "NaN": with_value(float("nan")),
    "infinity": with_value(float("inf")),
    "NaN in a running mean": with_value(float("nan"), "segmenter.network.encoder.0.0.0.1.running_mean"),
    "too large for float32": lambda state: state.update({HEAD: state[HEAD].double().fill_(1e300)}),
    "zero spread": with_value(0, "segmenter.std"),
    "views of the same numbers": views_of_one,
}


@pytest.mark.parametrize("spoil", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_weights_that_do_not_fit_or_are_no_numbers_are_refused(
    tmp_path: Path, real: Checkpoint, spoil: Callable[[dict[str, Any]], object]
) -> None:
    before = {name: tensor.clone() for name, tensor in real["state_dict"].items()}
    spoil(real["state_dict"])
    assert not same(before, real["state_dict"])
    refused_as_model(saved(tmp_path / "model.ckpt", real))


@pytest.mark.parametrize("kind", ["sparse", "complex", "parameter", "meta"])
def test_tensors_of_other_kinds_are_refused(tmp_path: Path, real: Checkpoint, kind: str) -> None:
    head = real["state_dict"][HEAD]
    kinds: dict[str, Callable[[], Any]] = {
        "sparse": head.to_sparse,
        "complex": lambda: torch.complex(head, head),
        "parameter": lambda: torch.nn.Parameter(head),
        "meta": lambda: head.to("meta"),
    }
    real["state_dict"][HEAD] = kinds[kind]()
    with pytest.raises(InputError, match=r"kind\.ckpt: .*the file asks for"):
        read(saved(tmp_path / "kind.ckpt", real))


# Data sources

SOURCES: dict[str, Callable[[dict[str, Any]], object]] = {
    "os.system": lambda data: data.update(_target_="os.system", command="true"),
    "re-exported function": lambda data: data.update(_target_="lesionseg.data.synthetic.draw_dermoscopy"),
    "re-exported class": lambda data: data.update(_target_="lesionseg.data.folder.Path"),
    "network for a source": lambda data: data.update(_target_="lesionseg.model.unet.UNet"),
    "path": lambda data: data.update(_target_="lesionseg.data.../../evil.Folder"),
    "manifest that is no manifest": lambda data: data.update(split="/etc/passwd"),
    "rule that is interpolated": lambda data: data.update(split="${oc.env:HOME}"),
    "count in words": lambda data: data.update(train="5"),
    "count of yes": lambda data: data.update(train=True),
    "count of fractions": lambda data: data.update(train=5.5),
    "count below zero": lambda data: data.update(train=-5),
    "count beyond memory": lambda data: data.update(train=10**15),
    "drawings beyond memory": lambda data: data.update(size=10**6),
    "share that is none": lambda data: data.update(validation_share=float("nan")),
    "seed that is interpolated": lambda data: data.update(seed="${oc.env:HOME}"),
    "cache of another name": lambda data: data.update(cache="__class__"),
    "cache folder of a number": lambda data: data.update(cache_dir=5),
    "target in a setting": lambda data: data.update(seed={"_target_": "os.system", "command": "true"}),
    "target in a list": lambda data: data.update(seed=[{"_target_": "os.system", "command": "true"}]),
    "positional": lambda data: data.update(_args_=[1]),
    "partial": lambda data: data.update(_partial_=True),
    "number for a name": lambda data: data.update({5: 5}),
    "missing setting": lambda data: data.pop("train"),
    "nothing": lambda data: data.clear(),
}


@pytest.mark.parametrize("spoil", SOURCES.values(), ids=SOURCES.keys())
def test_sources_other_than_lesionsegs_are_refused(
    tmp_path: Path, real: Checkpoint, spoil: Callable[[dict[str, Any]], object]
) -> None:
    spoil(real["lesionseg"]["config"]["data"])
    with pytest.raises(InputError):
        source_of(read(saved(tmp_path / "source.ckpt", real)))


def test_a_stored_text_stays_what_it_is(tmp_path: Path, real: Checkpoint, source_settings: dict[str, Any]) -> None:
    """Neither an interpolation nor a home folder is put in its place."""
    folder = {"images": "images", "masks": "masks", "mask_suffix": "", "groups": None, "group_id_column": "a"}
    folder |= {"_target_": "lesionseg.data.folder.Folder", "group_column": "b", "root": "${oc.env:HOME}/~"}
    real["lesionseg"]["config"]["data"] = source_settings | folder
    source = source_of(read(saved(tmp_path / "source.ckpt", real)))
    with pytest.raises(InputError, match=r"data\.root is \$\{oc\.env:HOME\}/~: there is no folder"):
        source.listing()


def test_a_stored_cache_folder_is_not_written_to(tmp_path: Path, real: Checkpoint) -> None:
    real["lesionseg"]["config"]["data"] |= {"cache_dir": str(tmp_path / "cache"), "cache": "memory"}
    source_of(read(saved(tmp_path / "source.ckpt", real))).listing()
    assert [path.name for path in tmp_path.iterdir()] == ["source.ckpt"]


# Resuming


@pytest.mark.parametrize("path", ["checkpoints/../victim", "checkpoints/kept", "checkpoints"])
def test_no_file_outside_is_removed_in_place_of_an_earlier_checkpoint(tmp_path: Path, path: str) -> None:
    """Which files to remove, Lightning reads from the checkpoint that it resumes from."""
    (tmp_path / "checkpoints" / "kept").mkdir(parents=True)
    victim = written(tmp_path / "victim", b"precious")
    with suppress(InputError):  # which says so; a folder is just left
        AtomicCheckpointIO().remove_checkpoint(tmp_path / path)
    assert victim.exists()
    assert (tmp_path / "checkpoints" / "kept").exists()


def test_an_earlier_checkpoint_is_removed(tmp_path: Path) -> None:
    path = written(tmp_path / "earlier.ckpt", b"")
    AtomicCheckpointIO().remove_checkpoint(path)
    assert not path.exists()


# Memory and the command line

OPENS_ALL_IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of
from lesionseg.errors import InputError
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 600 * 2**20,) * 2)
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        segmenter_of(read(path))
    except InputError as error:
        print("refused", path.name)
        while error is not None:
            print(repr(error))
            error = error.__cause__
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits a process's memory as Linux does")
def test_absurd_sizes_take_little_memory(tmp_path: Path, real: Checkpoint) -> None:
    """Everything that asks for gigabytes, in a process that may take 600 MB more than it has at the start."""
    folder = tmp_path / "absurd"
    folder.mkdir()
    for name in (
        "pickle that inflates a thousandfold",
        "storage that inflates a thousandfold",
        "directory of thousands",
    ):
        written(folder / f"{name}.ckpt", LYING_ZIPS[name]())
    for name, content in GREEDY.items():
        written(folder / f"{name}.ckpt", content())
    for name in ("largest model there is", "pyramid of absurd width"):
        spoilt = copy.deepcopy(real)
        MODELS[name](spoilt["lesionseg"]["config"]["model"])
        saved(folder / f"{name}.ckpt", spoilt)
    command = [sys.executable, "-c", OPENS_ALL_IN_LITTLE_MEMORY, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused ") == len(list(folder.iterdir()))
    # Refused because of what was asked for, and not because the memory was used up.
    assert "MemoryError" not in done.stdout
    assert "allocate" not in done.stdout


def spoilt_by_code(real: Checkpoint, marker: Path) -> None:
    real["callbacks"]["Evil"] = Call(os.mkdir, str(marker))


def spoilt_by_size(real: Checkpoint, marker: Path) -> None:
    real["lesionseg"]["config"]["model"].update(HUGE)


def spoilt_by_target(real: Checkpoint, marker: Path) -> None:
    real["lesionseg"]["config"]["data"] = {"_target_": "os.mkdir", "path": str(marker)}


@pytest.mark.parametrize("spoil", [spoilt_by_code, spoilt_by_size, spoilt_by_target], ids=lambda spoil: spoil.__name__)
def test_evaluating_ends_with_a_message(
    tmp_path: Path, marker: Path, real: Checkpoint, spoil: Callable[[Checkpoint, Path], None]
) -> None:
    spoil(real, marker)
    given = [f"checkpoint={saved(tmp_path / 'evil.ckpt', real)}", f"run_dir={tmp_path / 'run'}"]
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = hydra.compose("evaluate", overrides=given)
    # The command line prints the message and ends with exit code 2.
    with pytest.raises(InputError, match=r"evil\.ckpt|the file asks for|cannot be rebuilt"):
        evaluate(cfg)
    assert not marker.exists()
