"""From a command line to a verb: composing, and turning mistakes and faults into one message and an exit code."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import lesionseg
from lesionseg.config.command_line import MULTIRUN, literal_words
from lesionseg.config.explain import explain
from lesionseg.config.help_page import for_example, help_page, root_comments
from lesionseg.config.old_names import current_words, rename_targets
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import FaultError, InputError, InterruptionError
from lesionseg.system.files import disk_fault_of, outlast_readers

WRONG_INPUT = 2
FAULT = 1
STOPPED = 130
"""Exit code of a program that Ctrl-C has stopped."""
FULL_ERROR = "HYDRA_FULL_ERROR"
HELP = ("--help", "-h")
Ending = tuple[str, int]
"""Message and exit code of a program that cannot go on."""


def launch(
    config_name: str, verb: Callable[[DictConfig], Any], *, arguments: Callable[[Sequence[str]], list[str]] = list
) -> None:
    """Composes `conf/<config_name>.yaml` with the command line and runs the verb on it.

    A user's mistake ends with a message and exit code 2, a fault of the machine with 1, a signal with 128 and its
    number; `HYDRA_FULL_ERROR=1` shows a traceback instead. Any other error is a bug of the program and is raised. A
    reader of the output who goes away (`| head`) changes neither the work nor its exit code. `--help` and `--version`
    do not run the verb.

    Args:
        config_name: Name of the root YAML.
        verb: Function that gets the configuration.
        arguments: Completes the command line, which is quoted by `literal_words`, before Hydra sees it.
    """
    outlast_readers()
    if "--version" in sys.argv[1:]:
        print(f"lesionseg {lesionseg.__version__}")
        return
    register_schemas()
    wants_traceback = os.environ.get(FULL_ERROR) == "1"
    has_composed = False

    def run(cfg: DictConfig) -> Any:
        nonlocal has_composed
        has_composed = True
        # At once: Hydra adds lines of its own to an error that passes through it.
        with _messages(_ending, wants_traceback=wants_traceback):
            rename_targets(cfg)
            _check_given(config_name, cfg)
            return verb(cfg)

    def ending(error: BaseException) -> Ending | None:
        return _ending(error) or _ending_of_hydra(error, config_name, has_composed=has_composed)

    with _messages(ending, wants_traceback=wants_traceback):
        given = literal_words(current_words(config_name, sys.argv[1:]))
        sys.argv[1:] = current_words(config_name, arguments(given))  # a resumed sweep's own words may be old
        with _hydra_raises():
            _answer_or_run(config_name, run)


@contextmanager
def _messages(ending: Callable[[BaseException], Ending | None], *, wants_traceback: bool) -> Iterator[None]:
    """Ends the program with the message and exit code that `ending` finds for an error; raises it if there is none."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nlesionseg: stopped", file=sys.stderr)
        sys.exit(STOPPED)
    except (Exception, InterruptionError) as error:
        found = None if wants_traceback else ending(error)
        if found is None:
            raise
        message, code = found
        print(f"\nlesionseg: {message}", file=sys.stderr)
        sys.exit(code)


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Makes Hydra raise what it would otherwise print, and restores the environment afterwards."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


def _ending(error: BaseException) -> Ending | None:
    """Returns message and exit code of a mistake or a fault; None for any other error."""
    if isinstance(error, InputError):
        return explain(error), WRONG_INPUT
    fault = error if isinstance(error, FaultError) else disk_fault_of(error)
    return None if fault is None else (explain(fault), FAULT)


def _ending_of_hydra(error: BaseException, config_name: str, *, has_composed: bool) -> Ending | None:
    """Returns message and exit code of what Hydra and OmegaConf raise, and of a signal."""
    match error:
        case InterruptionError():
            return explain(error), 128 + error.signal_number
        case HydraException() | OmegaConfBaseException():
            asks_for_more = isinstance(error, OverrideParseException) or "You must specify" in str(error)
            return explain(error) + (f"\n{for_example(config_name)}" if asks_for_more else ""), WRONG_INPUT
        case ValueError() if str(error).startswith("No trials are completed yet"):  # Optuna's words
            return "every job of the sweep has failed; leaderboard.md in its folder says why", FAULT
        case ValueError() if not has_composed:  # Hydra's answer to data=null
            return f"{error}. A whole group cannot be null; choose one of its files, see --help", WRONG_INPUT
    return None


def _answer_or_run(config_name: str, run: Callable[[DictConfig], Any]) -> None:
    """Prints the help page if it is asked for; otherwise lets Hydra compose the configuration and run."""
    words = sys.argv[1:]
    options = {word for word in words if word.startswith("-")}
    # With further options the help is Hydra's own, which knows them.
    if not options.isdisjoint(HELP) and options <= {*HELP, *MULTIRUN}:
        print(help_page(config_name, [word for word in words if word not in (*HELP, *MULTIRUN)]), end="")
    else:
        hydra.main(config_path=str(CONF), config_name=config_name, version_base="1.3")(run)()


def _check_given(verb: str, cfg: DictConfig) -> None:
    """Raises an `InputError` that explains the keys without a default that are missing, with an example."""
    missing = [str(key) for key in cfg if OmegaConf.is_missing(cfg, key)]
    if missing:
        comments = root_comments(verb)
        lines = [f"  {key}=...  {comments.get(key, '')}".rstrip() for key in missing]
        raise InputError("\n".join([f"lesionseg.{verb} needs:", *lines, for_example(verb)]))
