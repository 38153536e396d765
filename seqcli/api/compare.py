"""Several systems on one test set, scored alike and tested against the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqcli.api.evaluate import build_metric, judge_lines, read_aligned
from seqcli.errors import UsageError
from seqcli.evaluation import DEFAULT_BLEU_TOKENIZER, DEFAULT_METRICS, Metric, Score
from seqcli.evaluation.base import require_aligned
from seqcli.evaluation.sacrebleu_metric import SacrebleuMetric
from seqcli.evaluation.significance import paired_p_values
from seqcli.text.lines import STDIN, name_of, read_lines


@dataclass(frozen=True, slots=True)
class ComparedSystem:
    """What one system reaches, in the order of the metrics."""

    name: str
    scores: tuple[Score, ...]
    p_values: tuple[float | None, ...]  # of differing from the first; None: it is that, or no test


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems in the order they were given, the first of which the others are tested against."""

    systems: tuple[ComparedSystem, ...]
    line_count: int
    reference_count: int
    warnings: tuple[str, ...]


def compare_systems(
    systems: Sequence[str],
    references: Sequence[str | Path],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    source: str | Path | None = None,
    bleu_tokenizer: str = DEFAULT_BLEU_TOKENIZER,
    lowercase: bool = False,
    threads: int | None = None,
    on_translation: Callable[[str], object] = lambda model: None,
) -> Comparison:
    """Score each of `systems`: a file of its output, or a model that translates `source`.

    All lines are the same for all. BLEU, chrF and TER are tested by paired bootstrap resampling
    against the first system. `on_translation` is given a model's name for each of its translations.
    Raises UsageError for fewer than two, or a model without a source; DataError, ModelError and
    ConfigError as for `evaluate_model`.
    """
    models = [name for name in systems if not _is_file(name)]
    _require_comparable(systems, models, source)
    judges = [build_metric(name, bleu_tokenizer, lowercase) for name in metrics]
    names, texts = read_aligned([*references, *([] if source is None else [source])])
    reference_names, reference_lines = names[: len(references)], texts[: len(references)]
    outputs = {name: list(read_lines(name)) for name in systems if name not in models}
    for name, lines in outputs.items():  # before models take their time
        require_aligned(lines, reference_lines, [name_of(name), *reference_names])
    outputs |= _translations(models, texts[-1], threads, on_translation)
    evaluations = [
        judge_lines(judges, outputs[name], reference_lines, [name_of(name), *reference_names])
        for name in systems
    ]
    p_values = _p_values(judges, [outputs[name] for name in systems], reference_lines)
    return Comparison(
        systems=tuple(
            ComparedSystem(name, evaluation.scores, of_system)
            for name, evaluation, of_system in zip(systems, evaluations, p_values, strict=True)
        ),
        line_count=len(reference_lines[0]),
        reference_count=len(references),
        warnings=tuple(dict.fromkeys(text for each in evaluations for text in each.warnings)),
    )


def _is_file(name: str) -> bool:
    return name == STDIN or Path(name).is_file()


def _require_comparable(
    systems: Sequence[str], models: Sequence[str], source: str | Path | None
) -> None:
    if len(set(systems)) < max(2, len(systems)):
        raise UsageError(
            "there are no two different systems to compare"
            if len(set(systems)) < 2
            else "a system is named twice",
            why="each is tested against the first",
            fix="Give each once, two or more; for one alone there is `seqcli eval`",
        )
    if models and source is None:
        raise UsageError(
            f"there is nothing that {models[0]} could translate",
            why="what is no file is a model",
            fix="Give --source FILE",
        )


def _translations(
    models: Sequence[str],
    source: Sequence[str],
    threads: int | None,
    on_translation: Callable[[str], object],
) -> dict[str, list[str]]:
    """What each model makes of the source; all are loaded before the first begins."""
    if not models:
        return {}
    from seqcli.api.systems import load_system  # files are compared without torch

    translators = {name: load_system(name, threads=threads) for name in models}
    found: dict[str, list[str]] = {name: [] for name in models}
    for name, translator in translators.items():
        for translation in translator.translate(source):
            on_translation(name)
            found[name].append(translation.text)
    return found


def _p_values(
    judges: Sequence[Metric], outputs: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> list[tuple[float | None, ...]]:
    """Of each system those of all metrics; None where there is no test, and for the first."""
    first, *others = outputs
    of_metrics: list[list[float | None]] = [
        [None, *paired_p_values(judge, first, others, references)]
        if isinstance(judge, SacrebleuMetric)
        else [None] * len(outputs)
        for judge in judges
    ]
    return list(zip(*of_metrics, strict=True))
