"""`seqcli check`: what is wrong with a text, told before hours go into training on it."""

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seqcli.cli.conflicts import refuse_beside, require_one_reader_of_stdin
from seqcli.cli.console import status
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.errors import UsageError
from seqcli.text.length_ratios import MAX_LENGTH_RATIO
from seqcli.text.parallel import is_table
from seqcli.text.wording import beside

if TYPE_CHECKING:
    from seqcli.api.check import CleanedText, TextReport

FILES = "SOURCE TARGET"
SERIOUS = 1  # the exit status

SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A text, a table in .tsv, or - for stdin.")
]
TargetArgument = Annotated[
    str | None, typer.Argument(metavar="TARGET", help="The text that belongs to it, line by line.")
]
ValidOption = Annotated[
    tuple[str, str] | None,
    typer.Option("--valid", metavar=FILES, help="A set that should share no line with the text."),
]
TestOption = Annotated[
    tuple[str, str] | None, typer.Option("--test", metavar=FILES, help="Another such set.")
]
ValidFileOption = Annotated[
    str | None,
    typer.Option("--valid-file", metavar="FILE", help="The same in one file: text alone or .tsv."),
]
TestFileOption = Annotated[
    str | None, typer.Option("--test-file", metavar="FILE", help="Another such file.")
]
FixOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--fix", metavar=FILES, help="Write the text here, cleaned, in place of any there."
    ),
]
FixFileOption = Annotated[
    str | None,
    typer.Option("--fix-file", metavar="FILE", help="The same for a text without TARGET."),
]
ModelOption = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Count the tokens that it does not know.")
]
TokenizerOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Count the tokens that it does not know.")
]
RatioOption = Annotated[
    float,
    typer.Option(help="Lengths of a pair are odd beyond so many times the usual ratio."),
]
FormatOption = Annotated[
    Literal["text", "json"], typer.Option("--format", help="For people or for programs.")
]


def check(
    source: SourceArgument,
    target: TargetArgument = None,
    valid: ValidOption = None,
    test: TestOption = None,
    valid_file: ValidFileOption = None,
    test_file: TestFileOption = None,
    fix: FixOption = None,
    fix_file: FixFileOption = None,
    model: ModelOption = None,
    tokenizer: TokenizerOption = None,
    max_length_ratio: RatioOption = MAX_LENGTH_RATIO,
    output_format: FormatOption = "text",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Look for what is wrong with a text, before a model learns from it.

    The status is 1 if nothing can be learned from the text as it is, for lines without a partner,
    not UTF-8 or with NUL bytes, and no --fix has mended it.

    --fix drops what is empty, repeated, in another set, or of an odd ratio of lengths in
    characters. It mends control characters, byte order marks, carriage returns, and letters and
    accents that are not composed (NFC).
    """
    if model is not None:
        refuse_beside("--model", {"--tokenizer": tokenizer}, why="a model has its own")
    files = (source,) if target is None else (source, target)
    num_sides = 2 if target is not None or is_table(source) else 1
    valid_files = _files("--valid", valid, valid_file, num_sides)
    test_files = _files("--test", test, test_file, num_sides)
    outputs = [Path(file) for file in _one_of("--fix", fix, fix_file)]
    require_one_reader_of_stdin({"SOURCE": files, "--valid": valid_files, "--test": test_files})
    from seqcli.api.check import check_files, check_outputs, clean_files, load_tokenizers

    how: dict[str, Any] = {"valid": valid_files, "test": test_files}
    if outputs:
        check_outputs(outputs, files, **how)
    how["max_length_ratio"] = max_length_ratio
    tokenizers = load_tokenizers(model, tokenizer)
    with nullcontext() if quiet else status(f"checking {', '.join(files)}"):
        report = check_files(files, tokenizers=tokenizers, **how)
    if output_format == "text":
        _print_report(report)
    cleaned = None
    if outputs:
        with nullcontext() if quiet else status(f"writing {', '.join(map(str, outputs))}"):
            cleaned = clean_files(files, outputs, **how)
    if output_format == "json":
        _print_json(report, cleaned)
    elif cleaned is not None:
        _print_cleaned(cleaned)
    if report.is_serious and cleaned is None:
        raise typer.Exit(SERIOUS)


def _one_of(option: str, pair: tuple[str, str] | None, single: str | None) -> tuple[str, ...]:
    """The files of an option that takes two, or of its like that takes one."""
    if pair is None:
        return () if single is None else (single,)
    refuse_beside(option, {f"{option}-file": single}, why="the latter is for text in one file")
    return pair


def _files(
    option: str, pair: tuple[str, str] | None, single: str | None, num_sides: int
) -> tuple[str, ...]:
    """The files of another set. UsageError if it has not as many sides as the text."""
    files = _one_of(option, pair, single)
    if files and num_sides != (2 if pair or is_table(files[0]) else 1):
        raise UsageError(
            f"the text and {', '.join(files)} do not have the same number of sides",
            why="a pair can be found only among pairs, a line only among lines",
            fix=f"Give {option} SOURCE TARGET for pairs, {option}-file FILE for text alone or .tsv",
        )
    return files


def _print_report(report: "TextReport") -> None:
    sides = zip(report.files, report.lines, strict=True)
    typer.echo(", ".join(f"{file}: {count:,} {beside(count, 'lines')}" for file, count in sides))
    for finding in report.findings:
        typer.echo(f"  {'SERIOUS: ' if finding.is_serious else ''}{finding}")
    if not report.findings:
        typer.echo("  nothing is wrong")


def _print_cleaned(cleaned: "CleanedText") -> None:
    typer.echo(f"wrote {', '.join(cleaned.files)}: {cleaned.kept:,} of {cleaned.read:,} rows")
    for done, counts in (("dropped", cleaned.dropped), ("mended", cleaned.mended)):
        for rule, count in counts.items():
            if count:
                typer.echo(f"  {done} by the rule {rule}: {count:,}")


def _print_json(report: "TextReport", cleaned: "CleanedText | None") -> None:
    findings = [{**asdict(finding), "share": finding.share} for finding in report.findings]
    typer.echo(
        json.dumps(
            {
                "files": report.files,
                "lines": report.lines,
                "is_serious": report.is_serious,
                "findings": findings,
                "cleaned": cleaned and asdict(cleaned),
            },
            indent=2,
            ensure_ascii=False,
        )
    )
