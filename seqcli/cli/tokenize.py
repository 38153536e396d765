"""`seqcli tokenize`: train a tokenizer, and use it by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from seqcli.cli.options import QuietOption
from seqcli.text.lines import STDIN
from seqcli.tokenizers.base import KINDS, TokenizerConfig

app = typer.Typer(no_args_is_help=True, help="Cut text into pieces and join them again.")

DEFAULTS = TokenizerConfig()

FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Text to learn from, or - for stdin.")
]
OutputOption = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="Where to save; the suffix is optional."),
]
KindOption = Annotated[str, typer.Option(metavar="KIND", help=f"One of {', '.join(KINDS)}.")]
SizeOption = Annotated[
    int | None, typer.Option(min=1, help="Pieces in all.", show_default="by the size of the text")
]
CoverageOption = Annotated[
    float, typer.Option(min=0, max=1, help="Share of the text whose characters become pieces.")
]
UserSymbolOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Always one piece; again for more.", show_default=False),
]
ByteFallbackOption = Annotated[
    bool,
    typer.Option(help="Spell unknown characters in bytes, so that nothing is lost."),
]
MinFrequencyOption = Annotated[
    int, typer.Option(min=1, help="Leave out rarer pieces (not of subwords).")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
TokenizerArgument = Annotated[
    Path, typer.Argument(metavar="TOKENIZER", help="A tokenizer's file, or a model's folder.")
]
SourceArgument = Annotated[str, typer.Argument(metavar="FILE", help="Input, or - for stdin.")]
IdsOption = Annotated[bool, typer.Option("--ids/--pieces", help="Numbers, or pieces of text.")]


@app.command()
def train(
    files: FilesArgument,
    output: OutputOption,
    kind: KindOption = DEFAULTS.kind,
    vocabulary_size: SizeOption = DEFAULTS.vocabulary_size,
    character_coverage: CoverageOption = DEFAULTS.character_coverage,
    user_symbol: UserSymbolOption = None,
    byte_fallback: ByteFallbackOption = DEFAULTS.byte_fallback,
    min_frequency: MinFrequencyOption = DEFAULTS.min_frequency,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn a tokenizer from files, all together."""
    from seqcli.api.tokenize import train_tokenizer

    config = TokenizerConfig(
        kind=kind,
        vocabulary_size=vocabulary_size,
        character_coverage=character_coverage,
        user_symbols=tuple(user_symbol or ()),
        byte_fallback=byte_fallback,
        min_frequency=min_frequency,
    )
    train_tokenizer(files, output, config, overwrite=overwrite)


@app.command()
def encode(
    tokenizer: TokenizerArgument, source: SourceArgument = STDIN, ids: IdsOption = False
) -> None:
    """Write the pieces of each line, with spaces between."""
    from seqcli.api.tokenize import encode_file, load_tokenizer

    _write(encode_file(load_tokenizer(tokenizer), source, as_ids=ids))


@app.command()
def decode(
    tokenizer: TokenizerArgument, source: SourceArgument = STDIN, ids: IdsOption = False
) -> None:
    """Write the text of each line of pieces."""
    from seqcli.api.tokenize import decode_file, load_tokenizer

    _write(decode_file(load_tokenizer(tokenizer), source, as_ids=ids))


def _write(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(line)  # flushes
