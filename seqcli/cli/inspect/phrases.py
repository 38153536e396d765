"""`seqcli inspect phrases | derivation | weights`: look inside a phrase-based system."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqcli.cli.inspect.options import FormatOption, ModelArgument, output_option
from seqcli.cli.inspect.output import destination_of
from seqcli.cli.inspect.tables import table
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.errors import DataError
from seqcli.text.lines import STDIN

if TYPE_CHECKING:
    from seqcli.smt.phrase_view import DerivationView, PhraseList, Weights

FORMS = {".txt": "text", ".json": "json"}
PHRASE_HEADER = ("source", "target", "p(t|s)", "lex(t|s)", "p(s|t)", "lex(s|t)", "seen once")
STEP_HEADER = ("words", "source", "target", "language model", "translation", "reordering")
WORD_HEADER = ("word", "nats", "n-gram")
FEATURE_HEADER = ("feature", "value", "weighted")
WEIGHT_HEADER = ("feature", "weight")

TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="A phrase or a sentence.")]
OutputOption = Annotated[Path, output_option(FORMS)]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Translations of a phrase.")]


def show_phrases(
    model: ModelArgument,
    text: TextArgument,
    limit: LimitOption = 10,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how a phrase-based system can translate each phrase of TEXT, with its probabilities."""
    destination = destination_of(output, output_format, forms=FORMS)
    from seqcli.api.phrase_system import load_phrase_parts
    from seqcli.smt.phrase_view import view_phrases

    _, system = load_phrase_parts(model)
    destination.write(view_phrases(system, model, text, limit), as_text=_phrases_as_text)


def show_derivation(
    model: ModelArgument,
    text: TextArgument,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how a phrase-based system translates TEXT: phrases, features, and the language model.

    A feature's value is what the whole translation has; weighted, the values sum to its score. Of
    each word the language model gives the log-probability after those before, and how many words
    the longest n-gram has that it knows.
    """
    destination = destination_of(output, output_format, forms=FORMS)
    from seqcli.api.phrase_system import load_phrase_parts, translator_of
    from seqcli.smt.phrase_view import view_derivation

    if not text.strip():
        raise DataError("there is no translation to look at", why="the sentence is empty")
    recipe, system = load_phrase_parts(model)
    translator = translator_of(system, recipe.decoding)
    found = view_derivation(system, translator, model, text)
    destination.write(found, as_text=_derivation_as_text)


def show_weights(
    model: ModelArgument,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what each feature of a phrase-based system counts."""
    destination = destination_of(output, output_format, forms=FORMS)
    from seqcli.api.phrase_system import load_phrase_parts
    from seqcli.smt.phrase_view import view_weights

    destination.write(view_weights(load_phrase_parts(model)[1], model), as_text=_weights_as_text)


def _phrases_as_text(found: "PhraseList") -> str:
    if not found.pairs:
        return "no phrase of the text is known"
    rows = []
    for pair in found.pairs:
        by_name = pair.probabilities
        numbers = (
            by_name["target_given_source"],
            by_name["lexical_target_given_source"],
            by_name["source_given_target"],
            by_name["lexical_source_given_target"],
        )
        cells = (f"{number:.4f}" for number in numbers)
        rows.append((pair.source, pair.target, *cells, "yes" if pair.is_rare else ""))
    return table(PHRASE_HEADER, rows, words=2)


def _derivation_as_text(found: "DerivationView") -> str:
    features = [
        (name, f"{value:.4f}", f"{found.weighted[name]:.4f}")
        for name, value in found.features.items()
    ]
    words = [
        (view.word, f"{view.log_probability:.3f}", str(view.order) if view.is_known else "unknown")
        for view in found.language_model
    ]
    total = ("score", "", f"{found.score:.4f}")
    return "\n\n".join(
        (
            found.translation,
            table(STEP_HEADER, list(_step_rows(found)), words=3),
            table(FEATURE_HEADER, [*features, total], words=1),
            table(WORD_HEADER, words, words=1),
        )
    )


def _step_rows(found: "DerivationView") -> Iterator[tuple[str, ...]]:
    """A row for each phrase; translation and reordering are sums of their features."""
    for phrase in found.phrases:
        by_kind = {
            "translation": sum(v for k, v in phrase.features.items() if "given" in k),
            "reordering": sum(
                v for k, v in phrase.features.items() if "previous" in k or "to_next" in k
            ),
        }
        yield (
            f"{phrase.begin + 1}-{phrase.end}",
            phrase.source,
            f"{phrase.target} (copied)" if phrase.is_copied else phrase.target,
            f"{phrase.features['language_model']:.3f}",
            f"{by_kind['translation']:.3f}",
            f"{by_kind['reordering']:.3f}",
        )


def _weights_as_text(found: "Weights") -> str:
    rows = [(name, f"{weight:.4f}") for name, weight in found.weights.items()]
    return table(WEIGHT_HEADER, rows, words=1)
