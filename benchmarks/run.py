# /// script requires-python = ">=3.11" dependencies = ["albumup", "click>=8.4",
# "requests-toolbelt>=1.0", "tabulate>=0.9", "trustme>=1.2"]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
#
# [tool.uv.sources]
# albumup = { path = "..", editable = true }
# ///
"""Every figure of docs/performance.md, each beside a peer in the same run.

    uv run benchmarks/run.py             all of it, at full size
    uv run benchmarks/run.py --quick     small sizes, under two minutes: a direction, not a figure
    uv run benchmarks/run.py small big   only these scenes
    uv run benchmarks/run.py --before CHECKOUT   another version, this one and a peer, turn by turn

Runs of the contestants are interleaved, and medians compared; all on loopback and in a scratch
folder. It needs cc and OpenSSL's headers, curl and openssl; with rclone and npm on PATH their rows
run, too.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import ssl
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
import compare
import scenes
from peers import versions
from stage import HERE, Failed, Program, Stage
from tabulate import tabulate

import albumup


def machine() -> dict[str, str]:
    """What the figures were made on."""
    names = [
        line.partition(":")[2].strip()
        for line in _read("/proc/cpuinfo").splitlines()
        if "model name" in line
    ]
    memory = next(
        (
            line.split()[1]
            for line in _read("/proc/meminfo").splitlines()
            if line.startswith("MemTotal")
        ),
        "0",
    )
    return {
        "processor": f"{os.cpu_count()} x {names[0] if names else platform.machine()}",
        "memory": f"{int(memory) / 1e6:.0f} GB",
        "system": platform.platform(),
        "albumup": albumup.__version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "Python's OpenSSL": ssl.OPENSSL_VERSION,
        **versions(),
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _compile(python: str) -> None:
    """Bytecode of all that is imported, as pip leaves it when it installs: not every environment of
    uv's has it."""
    places = (
        "import os, sysconfig, albumup, compileall\n"
        "for place in sysconfig.get_path('purelib'), os.path.dirname(albumup.__file__):\n"
        "    compileall.compile_dir(place, quiet=2)\n"
    )
    subprocess.run([python, "-c", places], check=True)


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[SCENE]...")
@click.option(
    "--before",
    type=_FOLDER,
    help="A checkout of another version, after uv sync: both, turn by turn.",
)
@click.option("--quick", is_flag=True, help="Small sizes: a direction, not a figure.")
@click.option("--runs", type=click.IntRange(1), help="Of each contestant: 5, or with --quick 3.")
@click.option("--folder", type=_FOLDER, help="Where the scratch folder is made.")
@click.option(
    "--json", "to", type=click.Path(dir_okay=False, path_type=Path), help="Keep the figures here."
)
def main(
    names: tuple[str, ...],
    before: Path | None,
    quick: bool,
    runs: int | None,
    folder: Path | None,
    to: Path | None,
) -> None:
    """Measure albumup beside its peers, or beside a version before and a peer."""
    began = time.monotonic()
    known = compare.ALL if before else scenes.ALL
    if unknown := set(names) - set(known):
        raise click.BadParameter(
            f"{', '.join(unknown)}: it is one of {', '.join(known)}", param_hint="SCENE"
        )
    runs = runs or (3 if quick else 5)
    about = machine()
    click.echo(tabulate(about.items(), tablefmt="plain"))
    click.echo(f"{'a quick look' if quick else 'medians'} of {runs} interleaved runs\n")
    if before:
        bench = _comparison(before, quick, runs, folder)
    else:
        _compile(sys.executable)
        bench = scenes.Bench(Stage(folder), scenes.QUICK if quick else scenes.FULL, runs)
    try:
        for name in names or known:
            click.echo(f"... {name}", err=True)
            try:
                known[name](bench)
            except Failed as failed:
                bench.missing.append(f"{name}: {failed}")
    finally:  # also what was found before a Ctrl-C
        click.echo(bench.tables())
        click.echo(f"\n{time.monotonic() - began:.0f} s in all")
    _keep(bench, about, to, quick)
    sys.exit(1 if bench.missing else 0)


def _comparison(before: Path, quick: bool, runs: int, folder: Path | None) -> compare.Comparison:
    try:
        programs = Program.of("before", before), Program.of("now", HERE.parent)
    except Failed as failed:
        raise click.UsageError(str(failed)) from None
    for program in programs:
        _compile(program.python)
    return compare.Comparison(*programs, compare.QUICK if quick else scenes.FULL, runs, folder)


def _keep(
    bench: scenes.Bench | compare.Comparison, about: dict[str, str], to: Path | None, quick: bool
) -> None:
    """Write the figures down, and draw the curves if all of them are there."""
    found: dict[str, object] = {"machine": about, "rows": [asdict(row) for row in bench.rows]}
    if isinstance(bench, compare.Comparison):
        if to:
            to.write_text(json.dumps(found, indent=1) + "\n")
        return
    found |= {
        "figures": bench.figures,
        "points": [asdict(point) for point in bench.points],
        "pushes": bench.pushes,
    }
    to = to or bench.stage.folder / "figures.json"
    to.write_text(json.dumps(found, indent=1) + "\n")
    if not quick and bench.points and bench.pushes:
        uv = os.environ.get("UV", "uv")
        subprocess.run(
            [uv, "run", "--quiet", HERE / "draw.py", to, HERE.parent / "docs" / "growth.svg"],
            check=True,
        )


if __name__ == "__main__":
    main()
