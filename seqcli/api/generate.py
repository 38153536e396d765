"""Let a trained language model write: go on with lines as they arrive, or begin with nothing."""

from collections.abc import Iterator
from itertools import repeat

import msgspec

from seqcli.api.ngram import is_ngram, load_ngram, refuse_for_ngrams
from seqcli.text.generation import GenerationConfig, LineGenerator
from seqcli.text.lines import arriving, read_lines
from seqcli.translator import Translation

MOST_LINES = 1024  # gone on with together, so that those of similar length share a batch


def load_generator(
    model: str,
    *,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    batch_sentences: int | None = None,
    seed: int = 1,
    threads: int | None = None,
) -> LineGenerator:
    """Load the language model in a folder, or a shipped one by its name.

    What is None is taken from the model's own recipe; a `top_k` of 1 is greedy. It computes in
    float64, so that the same seed gives the same text in batches of any size. Raises ModelError,
    ConfigError, and UsageError for what has no effect on a model of n-grams.
    """
    wanted = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "max_tokens": max_tokens,
        "batch_sentences": batch_sentences,
    }
    given = {name: value for name, value in wanted.items() if value is not None}

    def changed(config: GenerationConfig) -> GenerationConfig:
        return msgspec.structs.replace(config, **given)

    if is_ngram(model):
        refuse_for_ngrams(model, {"--batch": batch_sentences, "--threads": threads})
        ngram = load_ngram(model)
        return ngram.generator(changed(ngram.recipe.decoding), seed=seed)
    import torch

    from seqcli.decoding.language_model_generator import TextGenerator
    from seqcli.inspection.loading import load_for_task
    from seqcli.training.memory import keep_freed_memory

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load_for_task(model, "language-modeling")
    config = changed(loaded.recipe.decoding)
    return TextGenerator(
        loaded.model.double(), config, tokenizer=loaded.source_tokenizer, seed=seed
    )


def continue_lines(generator: LineGenerator, path: str) -> Iterator[Translation]:
    """Go on with each line of a file, or of standard input for "-", as soon as it is there.

    An empty line is written from nothing. Raises DataError for unusable text.
    """
    return generator.generate(arriving(read_lines(path), MOST_LINES))


def generate_lines(generator: LineGenerator, number: int) -> Iterator[Translation]:
    """Write so many lines from nothing."""
    return generator.translate(repeat("", number))
