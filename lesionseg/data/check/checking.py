"""One visit of the doctor: from a configuration to tables, `check.json` and `check.html`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lesionseg.check import check
from lesionseg.config.build import build
from lesionseg.config.quoting import override
from lesionseg.data.check.diagnosis import Diagnosis, diagnose
from lesionseg.data.check.html_page import write_page
from lesionseg.data.check.kinds import KINDS, SEVERITIES
from lesionseg.data.check.repair import GROUPS, LOG, check_target, repair, repaired_source
from lesionseg.data.check.summary import part_rows, print_diagnosis
from lesionseg.data.source import Source
from lesionseg.system.environment import code_version


def visit(cfg: DictConfig) -> dict[str, int]:
    """Examines `cfg.data`, prints what was found and writes it below `cfg.run_dir`.

    With `cfg.fix`, a repaired copy is written there and examined in its turn.

    Returns:
        The number of findings of each severity; those of the copy where there is one.
    """
    check(cfg)
    settings: dict[str, Any] = OmegaConf.to_container(cfg.data, resolve=True)  # type: ignore[assignment]
    if cfg.fix is not None:
        check_target(Path(cfg.fix), settings)
    source: Source = build("data", cfg.data)
    diagnosis = diagnose(source)
    print_diagnosis(diagnosis)
    name = str(settings["_target_"]).rpartition(".")[2]
    facts = {
        "root": settings.get("root", "-"),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "lesionseg": code_version()["version"],
        **({"found": "; ".join(diagnosis.layout)} if diagnosis.layout else {}),
    }
    counts: dict[str, int] = {severity: diagnosis.count(severity) for severity in SEVERITIES}
    folder = Path(cfg.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    findings = [finding.to_plain() for finding in diagnosis.findings]
    report = {"data": settings, **facts, "parts": part_rows(diagnosis), "counts": counts, "findings": findings}
    (folder / "check.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_page(diagnosis, folder / "check.html", title=name, facts=facts)
    print(f"with pictures  {folder / 'check.html'}\nas data        {folder / 'check.json'}", flush=True)
    if cfg.fix is not None:
        return _fixed(diagnosis, source, Path(cfg.fix))
    if counts["error"] and any(examination.sample.files for examination in diagnosis.examinations):
        print(
            "repair them    the same command with fix=FOLDER writes a copy in which what can be mended is", flush=True
        )
    return counts


def _fixed(diagnosis: Diagnosis, source: Source, folder: Path) -> dict[str, int]:
    """Writes the repaired copy, and says what the doctor says of it."""
    done = repair(diagnosis, folder)
    copy = diagnose(repaired_source(done, source))
    counts: dict[str, int] = {severity: copy.count(severity) for severity in SEVERITIES}
    pairs = f"{done.copied} pairs as they were, {done.mended} repaired; {done.left_out} left out"
    print(f"\nrepaired copy  {folder}: {pairs}\nwhat was done  {folder / LOG}")
    print(f"its own check  {', '.join(f'{count} {severity}s' for severity, count in counts.items())}")
    for name, findings in copy.by_kind().items():
        print(f"               {KINDS[name].severity}: {KINDS[name].title} ({len(findings)})")
    groups = f" data.groups={GROUPS}" if done.has_groups else ""
    print(
        f"train on it    python -m lesionseg.train data=folder {override('data.root', str(folder))}{groups}", flush=True
    )
    return counts
