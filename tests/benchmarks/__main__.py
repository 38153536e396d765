"""`python -m tests.benchmarks [NAME ...]`: speed and memory against a plain PyTorch loop.

Times change from machine to machine and from hour to hour. What counts are the ratios, taken
within one run, one competitor after the other, as medians of several rounds.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import decoding, layers, preparation, startup, statistical, training
from tests.benchmarks.corpus import has_multi30k
from tests.benchmarks.rounds import Result, Settings, all_cores

BENCHMARKS: dict[str, Callable[[Settings], list[Result]]] = {
    "startup": startup.run,
    "layers": layers.run,
    "decoding": decoding.run,
    "training": training.run,
    "preparation": preparation.run,
    "statistical": statistical.run,
}
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
HEADINGS = ("measured", "plain", "seqcli", "ratio (range)", "goal", "")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--model", default="de-en", help="its folder, or a shipped one's name")
    parser.add_argument("--threads", type=int, default=all_cores(), help="all cores by default")
    parser.add_argument("--quick", action="store_true", help="see that it runs; measures nothing")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    settings = Settings(chosen.threads, chosen.model, chosen.quick)
    start = time.monotonic()
    print_facts(settings)
    results = []
    for name in chosen.names or BENCHMARKS:
        print(f"\n{name}", flush=True)
        results += BENCHMARKS[name](settings)
    print_table(results)
    print(f"\nmeasured in {time.monotonic() - start:.0f} s")
    if settings.quick:
        print("these were quick rounds: the figures mean nothing")


def print_facts(settings: Settings) -> None:
    """Print what the figures depend on."""
    name, flags = _processor()
    print(f"processor   {name}, {all_cores()} cores, {settings.threads} threads")
    print(f"it can      {', '.join(flag for flag in FLAGS if flag in flags) or 'not be told'}")
    print(f"python      {platform.python_version()}, torch {version('torch')}")
    print(f"text        {'Multi30k' if has_multi30k() else 'made up, with lengths as in Multi30k'}")
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 0.3 * all_cores():
        print(f"load        {load:.1f}: other programs are running, so the figures are rough")


def _processor() -> tuple[str, set[str]]:
    """Return the processor's name and flags, as far as the system tells."""
    facts: dict[str, str] = {}
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    return facts.get("model name", platform.machine()), set(facts.get("flags", "").split())


def print_table(results: list[Result]) -> None:
    """Print a row a result, in columns as wide as what they hold."""
    verdicts = {None: "", True: "met", False: "MISSED"}
    rows = [
        (done.what, done.plain, done.ours, done.ratio, done.goal, verdicts[done.is_met])
        for done in results
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    print()
    for row in (HEADINGS, tuple("-" * width for width in widths), *rows):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


if __name__ == "__main__":
    main()
