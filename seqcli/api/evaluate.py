"""Score lines, files or a translator by references."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqcli.config import require_one_of
from seqcli.evaluation import (
    BLEU,
    DEFAULT_BLEU_TOKENIZER,
    DEFAULT_METRICS,
    METRICS,
    LengthBucket,
    Metric,
    Score,
)
from seqcli.evaluation.base import require_aligned
from seqcli.evaluation.buckets import require_length_bounds, score_by_length
from seqcli.evaluation.tokenised_text import tokenisation_warning
from seqcli.text.lines import name_of, read_lines
from seqcli.text.words import split_words
from seqcli.translator import Translator


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one system on one test set, in the order in which they were asked for."""

    scores: tuple[Score, ...]
    line_count: int
    reference_count: int  # reference files
    warnings: tuple[str, ...]  # why the scores may not mean what they seem to, each a paragraph
    by_length: tuple[LengthBucket, ...] = ()  # shortest first, where asked for


def score_lines(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    bleu_tokenizer: str = DEFAULT_BLEU_TOKENIZER,
    lowercase: bool = False,
) -> list[Score]:
    """Score lines by each of the named metrics; `references` holds a list for each reference set.

    ConfigError for an unknown metric or tokenizer, DataError for lists of different length.
    """
    judges = [build_metric(name, bleu_tokenizer, lowercase) for name in metrics]
    return [judge.compute(hypotheses, references) for judge in judges]


def evaluate_files(
    hypothesis: str | Path,
    references: Sequence[str | Path],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    bleu_tokenizer: str = DEFAULT_BLEU_TOKENIZER,
    lowercase: bool = False,
    source: str | Path | None = None,
    by_length: Sequence[int] = (),
) -> Evaluation:
    """Score a file of hypotheses by reference files, line by line. Errors as in `score_lines`.

    `by_length` (10, 20) also scores the lines of up to 10, of 11 to 20 and of more words, each
    bucket for itself. Words are counted in `source`, or in the first reference if that is None.
    ConfigError unless the bounds are positive and increase.
    """
    judges = [build_metric(name, bleu_tokenizer, lowercase) for name in metrics]
    require_length_bounds(by_length)
    scored = [hypothesis, *references]
    names, texts = read_aligned(scored if source is None else [*scored, source])
    hypotheses, *reference_lines = texts[: len(scored)]
    measured = texts[1 if source is None else -1]
    return judge_lines(
        judges, hypotheses, reference_lines, names[: len(scored)], measured, by_length
    )


def evaluate_model(
    model: Translator,
    source: str | Path,
    references: Sequence[str | Path],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    bleu_tokenizer: str = DEFAULT_BLEU_TOKENIZER,
    lowercase: bool = False,
    by_length: Sequence[int] = (),
    on_translation: Callable[[str], object] = lambda text: None,
) -> Evaluation:
    """Translate a source file and score the translations by reference files.

    `on_translation` is given each translation as it is made. The files are checked before the
    first is. `by_length` and errors as in `evaluate_files`.
    """
    judges = [build_metric(name, bleu_tokenizer, lowercase) for name in metrics]
    require_length_bounds(by_length)
    names, (source_lines, *reference_lines) = read_aligned([source, *references])
    hypotheses, num_cut_off = [], 0
    for translation in model.translate(source_lines):
        on_translation(translation.text)
        hypotheses.append(translation.text)
        num_cut_off += not translation.hypotheses[0].is_complete
    names[0] = "the translation"
    evaluation = judge_lines(judges, hypotheses, reference_lines, names, source_lines, by_length)
    if not num_cut_off:
        return evaluation
    cut_off = f"{num_cut_off} of {len(hypotheses)} translations are cut off before their end"
    return replace(evaluation, warnings=(cut_off, *evaluation.warnings))


def read_aligned(paths: Sequence[str | Path]) -> tuple[list[str], list[list[str]]]:
    """What to call the files, and the lines of each: as many in each of them."""
    names = [name_of(path) for path in paths]
    first, *others = texts = [list(read_lines(path)) for path in paths]
    if others:
        require_aligned(first, others, names)
    return names, texts


def build_metric(name: str, bleu_tokenizer: str, lowercase: bool) -> Metric:
    """Make a metric by its name. ConfigError for an unknown one, or an unknown tokenizer."""
    require_one_of("the metric", name, METRICS)
    if METRICS[name] is BLEU:
        return BLEU(tokenize=bleu_tokenizer, lowercase=lowercase)
    return METRICS[name](lowercase=lowercase)


def judge_lines(
    judges: Sequence[Metric],
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    names: Sequence[str],
    measured: Sequence[str] = (),
    bounds: Sequence[int] = (),
) -> Evaluation:
    """Score lines; `names` says what to call them and each list of references in warnings.

    Where there are `bounds`, the `measured` lines tell which bucket a line belongs to.
    """
    warnings = []
    if any(judge.expects_raw_text for judge in judges):
        for name, lines in zip(names, [hypotheses, *references], strict=True):
            if warning := tokenisation_warning(lines, name):
                warnings.append(warning)
    if any(judge.compares_words for judge in judges):
        for name, lines in zip(names[1:], references, strict=True):
            if warning := _count_warning(hypotheses, lines, names[0], name):
                warnings.append(warning)
    buckets = score_by_length(judges, hypotheses, references, measured, bounds) if bounds else ()
    return Evaluation(
        scores=tuple(judge.compute(hypotheses, references) for judge in judges),
        line_count=len(hypotheses),
        reference_count=len(references),
        warnings=tuple(warnings),
        by_length=buckets,
    )


def _count_warning(
    hypotheses: Sequence[str], references: Sequence[str], name: str, reference_name: str
) -> str:
    """Say where a line has more or fewer tags than its reference; nothing where none has."""
    pairs = zip(hypotheses, references, strict=True)
    counts = [(len(split_words(one)), len(split_words(other))) for one, other in pairs]
    unequal = [number for number, (one, other) in enumerate(counts, start=1) if one != other]
    if not unequal:
        return ""
    given, wanted = counts[unequal[0] - 1]
    return (
        f"{len(unequal)} of {len(counts)} lines have another number of tags in {name} than in "
        f"{reference_name}, first line {unequal[0]} ({given} and {wanted}): what has no "
        "counterpart counts as wrong"
    )
