"""A Python for tests that has imported everything before: `python -m lesionseg.train ...` starts in 0.1 s, not in 8.

    python tests/preloaded_python.py FOLDER OWNER

serves until the process OWNER is gone, and writes a program `FOLDER/python` that takes `-m MODULE` and `-c CODE` as
Python does. The program hands its words, environment, current folder and streams to the server, which forks; it
passes signals on and ends as the fork does. A program that is killed has its fork killed. Everything that the fork
starts by `sys.executable` is forked from the server as well. A report has no figures, which take as long as everything
else. Other options of Python's are not understood: tests of what a start imports or warns of use `sys.executable`.
"""

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import runpy
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
PASSED = {{signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP}}
signal.pthread_sigmask(signal.SIG_BLOCK, PASSED)
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
streams = array.array("i", [0, 1, 2])
server.sendmsg([len(request).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.sendall(request)
answers = server.makefile()
fork = int(answers.readline())
for number in PASSED:
    signal.signal(number, lambda number, _: os.kill(fork, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED)
code = int(answers.readline() or 70)
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
NOT_FROM_LESIONSEG = (
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "torch._dynamo",  # for the first optimizer
    "torch.utils.tensorboard",
)
"""Modules that trainings import late."""
STARTS_THREADS = ("onnxruntime", "openvino")
"""Modules that a fork has to import for itself, because it would wait for their threads."""


class Server:
    """Forks on request, and tells those who asked how their forks have ended.

    Args:
        folder: Folder of the socket and of the program `python`.
    """

    def __init__(self, folder: Path) -> None:
        self.program = folder / "python"
        address = str(folder / "socket")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(64)
        self._ended, ending = os.pipe()
        os.set_blocking(ending, False)
        signal.set_wakeup_fd(ending)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._asked: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)
        draft = folder / "draft"
        draft.write_text(CLIENT.format(python=sys.executable, address=address))
        draft.chmod(0o755)
        draft.rename(self.program)

    def serve(self, owner: int) -> list[str] | None:
        """Serves until `owner` is gone; in a fork, returns the words that it is to run."""
        while _is_alive(owner):
            for key, _ in self._selector.select(timeout=1):
                if key.fileobj is self._listener:
                    words = self._fork()
                    if words is not None:
                        return words
                elif key.fileobj == self._ended:
                    os.read(self._ended, 4096)
                else:
                    self._kill(key.data)
            self._reap()
        return None

    def _fork(self) -> list[str] | None:
        asking, _ = self._listener.accept()
        streams = array.array("i")
        size, extra, *_ = asking.recvmsg(8, socket.CMSG_SPACE(3 * streams.itemsize))
        streams.frombytes(extra[0][2])
        words, folder, environment = json.loads(asking.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        pid = os.fork()
        if pid == 0:
            self._close(asking)
            self._become(streams, folder, environment)
            return list(words)
        for stream in streams:
            os.close(stream)
        self._asked[pid] = asking
        self._selector.register(asking, selectors.EVENT_READ, pid)
        asking.sendall(b"%d\n" % pid)
        return None

    def _close(self, asking: socket.socket) -> None:
        """Closes in a fork what is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (self._selector, self._listener, asking, *self._asked.values()):
            one.close()
        os.close(self._ended)

    def _become(self, streams: Sequence[int], folder: str, environment: dict[str, str]) -> None:
        """Makes a fork the process that was asked for."""
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in environment)  # type: ignore[union-attr]
        sys.executable = str(self.program)
        _seed_anew()

    def _kill(self, pid: int) -> None:
        """Kills the fork of a program that is gone."""
        self._selector.unregister(self._asked[pid])
        os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._asked:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            asking = self._asked.pop(pid)
            with contextlib.suppress(KeyError):
                self._selector.unregister(asking)
            with contextlib.suppress(OSError):
                asking.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            asking.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _seed_anew() -> None:
    """Gives a fork random numbers of its own, as a new process has them: two forks must not agree by accident."""
    import numpy as np
    import torch

    random.seed()
    np.random.seed()
    torch.seed()


def import_everything() -> None:
    """Imports lesionseg but for its verbs, which `-m` runs anew, and what it imports late."""
    import lesionseg

    for name in STARTS_THREADS:
        sys.modules[name] = None  # type: ignore[assignment]  # it cannot be imported
    for module in pkgutil.walk_packages(lesionseg.__path__, "lesionseg."):
        if module.ispkg or module.name.count(".") > 1:
            with contextlib.suppress(ImportError):  # of what is optional
                importlib.import_module(module.name)
    for name in NOT_FROM_LESIONSEG:
        importlib.import_module(name)
    for name in STARTS_THREADS:
        del sys.modules[name]
    sys.modules["lesionseg.training.reporting"].figures = lambda *_: {}  # type: ignore[attr-defined]


def run(words: list[str]) -> None:
    """Runs `-m MODULE ...` or `-c CODE ...` as Python does."""
    option, program, *arguments = words
    sys.path.insert(0, "" if option == "-c" else os.getcwd())
    if option == "-m":
        sys.argv = [program, *arguments]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv = ["-c", *arguments]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), main.__dict__)
    else:
        sys.exit(f"{option}: a preloaded Python knows -m and -c alone")


def exit_code_of(words: list[str]) -> int:
    """Runs a program and ends it as Python does, but for clearing the memory, which takes 0.4 s."""
    try:
        run(words)
        code: Any = 0
    except SystemExit as ending:
        code = ending.code
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 128 + signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code or 0


def main(folder: str, owner: str) -> None:
    """Runs the server, or in a fork what was asked for."""
    import_everything()
    gc.collect()
    gc.freeze()
    words = Server(Path(folder)).serve(int(owner))
    if words is not None:
        os._exit(exit_code_of(words))


if __name__ == "__main__":
    main(*sys.argv[1:])
