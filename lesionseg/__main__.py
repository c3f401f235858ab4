"""`python -m lesionseg` and `lesionseg`: lists the verbs, or runs one: `lesionseg train model=unet_fast`."""

import runpy
import sys

import lesionseg

VERBS = {
    "train": "fits a model, then tests its best checkpoint",
    "check_data": "the data doctor: what in these data would make results wrong?",
    "download": "fetches the ISIC challenges' images and masks",
    "evaluate": "scores a model, or masks of any method",
    "compare": "which of several evaluations is better, and is it chance?",
    "predict": "photographs in, masks of the same size out",
    "export": "hands a model over as one file for other programs",
    "crossval": "trains every fold or with several seeds, and makes one model of all",
    "benchmark": "images a second of every stage, beside its limits",
}
WRONG_INPUT = 2


def main() -> None:
    """Runs the command line."""
    verb, *words = sys.argv[1:] or ["--help"]
    verb = verb.replace("-", "_") if not verb.startswith("-") else verb
    if verb in VERBS:
        sys.argv[1:] = words
        # As the main module, by which several processes and their workers are started again.
        runpy.run_module(f"lesionseg.{verb}", run_name="__main__", alter_sys=True)
    elif verb == "--version":
        print(f"lesionseg {lesionseg.__version__}")
    elif verb in ("--help", "-h", "help"):
        print(_listed())
    else:
        print(f"\nlesionseg: there is no verb '{verb}'\n{_listed()}", file=sys.stderr)
        sys.exit(WRONG_INPUT)


def _listed() -> str:
    width = max(map(len, VERBS))
    lines = [f"  python -m lesionseg.{verb:<{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(["lesionseg has these verbs; --help behind one shows its keys:", "", *lines])


if __name__ == "__main__":
    main()
