"""``make fuzz ONLY=x12 SECONDS=600``: inputs that reach new code, for so long; what fails is kept in build/fuzz.

A reading may take ten seconds and a gibibyte at most; the inputs that were worth keeping stay for the next run.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["edi_gateway.mapping", "edi_gateway.pipeline.reading"]):
    from tests.fuzz.targets import READ_BY, seeds, target

_LIMITS: Final = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=8192", "-print_final_stats=1")


def main(syntax: str, seconds: str) -> None:
    """Fuzz one syntax; libFuzzer ends the process, with an exit code other than 0 when something failed."""
    if syntax not in READ_BY:
        raise SystemExit(f"there is no target {syntax!r}; there are: {', '.join(READ_BY)}")
    folder = Path("build/fuzz") / syntax
    corpus, failures = folder / "corpus", folder / "failures"
    for each in (corpus, failures):
        each.mkdir(parents=True, exist_ok=True)
    for seed in seeds(syntax):
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    arguments = [sys.argv[0], str(corpus), *_LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={failures}/"]
    with atheris.instrument_imports(include=["edi_gateway.formats"]):  # plugins are loaded when they are asked for
        fuzz = target(syntax)
    atheris.Setup(arguments, fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
