"""Tell how probable lines of text are to a trained language model."""

import math
from collections.abc import Iterable, Iterator

from seqcli.api.ngram import is_ngram, load_ngram, refuse_for_ngrams
from seqcli.bundle import BundleScore
from seqcli.text.line_scores import LineScore, LineScorer, TextScore
from seqcli.text.lines import arriving, read_lines

MOST_LINES = 1024  # scored together, so that sentences of similar length share a batch


def load_scorer(model: str, *, threads: int | None = None) -> LineScorer:
    """Load the language model in a folder, or a shipped one by its name.

    Raises ModelError, and UsageError for `threads` where it has no effect.
    """
    if is_ngram(model):
        refuse_for_ngrams(model, {"--threads": threads})
        return load_ngram(model).scorer()
    import torch

    from seqcli.decoding.language_model_scorer import TextScorer
    from seqcli.inspection.loading import load_for_task
    from seqcli.training.memory import keep_freed_memory

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load_for_task(model, "language-modeling")
    return TextScorer(loaded.model, loaded.source_tokenizer)


def score_text(scorer: LineScorer, path: str) -> Iterator[LineScore]:
    """Score a file, or standard input for "-"; give the score of each line as soon as it is there.

    Raises DataError for unusable text.
    """
    for group in arriving(read_lines(path), MOST_LINES):
        yield from scorer.score(group)


def perplexity_of(scorer: LineScorer, lines: Iterable[str]) -> BundleScore:
    """Return the perplexity of a test set, as a model's folder records it."""
    total = TextScore()
    for line in scorer.score(lines):
        total = total.plus(line)
    finite = math.isfinite(total.perplexity)  # JSON has no infinity
    return BundleScore(
        name="perplexity" if finite else "loss",
        value=total.perplexity if finite else total.nats_per_token,
        signature=f"a token, {total.nats_per_token:.4f} nats a token, "
        f"{total.bits_per_character:.4f} bits a character, ends of lines included",
        set="test",
    )
