"""A trained Seq2Seq model as a translator: lines in, translations out."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from seqcli.config import Config, require_one_of, require_positive
from seqcli.data.batch import source_tensors
from seqcli.decoding.beam import beam_search
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.search import MAX_LENGTH_RATIO, Candidate
from seqcli.decoding.step import Stepper
from seqcli.errors import ConfigError
from seqcli.tokenizers import Tokenizer
from seqcli.translator import Hypothesis, Translation

STRATEGIES = ("beam", "greedy")


class DecodingConfig(Config):
    """How output is searched for: the section `decoding` of a recipe."""

    strategy: str = "beam"
    beam_width: int = 5
    length_penalty: float = 1.0  # 0: none; larger values favour longer output
    max_length_ratio: float = MAX_LENGTH_RATIO  # of the output: target tokens a source token
    batch_sentences: int = 64
    max_source_length: int = 400  # tokens; a longer line is translated in parts

    def __post_init__(self) -> None:
        require_one_of("decoding.strategy", self.strategy, STRATEGIES)
        for name in ("beam_width", "max_length_ratio", "batch_sentences", "max_source_length"):
            require_positive(f"decoding.{name}", getattr(self, name))
        if not 0 <= self.length_penalty <= 10:
            raise ConfigError("decoding.length_penalty must be from 0 to 10")


class NeuralTranslator:
    """Translates by search over a stepper's model.

    `num_best` hypotheses are given for a line, or as many as the search found. With
    `with_attention`, each carries a row of weights over the source tokens for each of its tokens.
    `num_workers` batches are translated side by side with a processor thread each, since the small
    products of one step gain little from more threads; 0 leaves the threads to torch.
    """

    def __init__(
        self,
        stepper: Stepper,
        config: DecodingConfig,
        *,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        num_best: int = 1,
        with_attention: bool = False,
        num_workers: int = 0,
    ) -> None:
        require_positive("num_best", num_best)
        width = config.beam_width if config.strategy == "beam" else 1
        if num_best > width:
            raise ConfigError(
                f"{num_best} hypotheses are asked for, but {config.strategy} search finds {width}",
                why="a search finds no more hypotheses than its beam is wide",
                fix="Ask for fewer, or for beam search with a wider beam",
            )
        self._stepper = stepper
        self._config = config
        self._source_tokenizer = source_tokenizer
        self._target_tokenizer = target_tokenizer
        self._num_best = num_best
        self._with_attention = with_attention
        self._num_workers = num_workers

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Translate lines in the order they come; see `translate_group` for groups of them."""
        waiting = iter(lines)
        while group := list(itertools.islice(waiting, 16 * self._config.batch_sentences)):
            yield from self.translate_group(group)

    def translate_group(self, lines: Sequence[str]) -> list[Translation]:
        """Translate lines together: batched by length, returned in their own order.

        A line of white space alone is an empty one, for a model would make words of it.
        """
        sources = self._source_tokenizer.encode_batch(
            [line if line.strip() else "" for line in lines]
        )
        parts = [self._parts(source) for source in sources]
        flat = [part for line_parts in parts for part in line_parts]
        results = iter(self._search_all(flat))
        return [
            self._translation(line, source, [next(results) for _ in line_parts])
            for line, source, line_parts in zip(lines, sources, parts, strict=True)
        ]

    def _parts(self, source: list[int]) -> list[list[int]]:
        """Cut a source that is too long for one search into equal parts; none for an empty one."""
        longest = self._config.max_source_length
        if len(source) <= longest:
            return [source] if source else []
        count = -(-len(source) // longest)
        bounds = [len(source) * part // count for part in range(count + 1)]
        return [source[start:end] for start, end in itertools.pairwise(bounds)]

    def _search_all(self, sources: Sequence[Sequence[int]]) -> list[list[Candidate]]:
        """Search in batches of similar length, the longest first; return in the given order."""
        order = sorted(range(len(sources)), key=lambda index: -len(sources[index]))
        size = self._config.batch_sentences
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        found: dict[int, list[Candidate]] = {}
        with _threads_for_workers(self._num_workers) as map_batches:
            searched = map_batches(
                lambda batch: self._search([sources[index] for index in batch]), batches
            )
            for batch, candidates in zip(batches, searched, strict=True):
                found.update(zip(batch, candidates, strict=True))
        return [found[index] for index in range(len(sources))]

    @torch.inference_mode()
    def _search(self, sources: Sequence[Sequence[int]]) -> list[list[Candidate]]:
        source_BS, mask_BS = source_tensors(sources)
        if self._config.strategy == "greedy":
            return greedy_search(
                self._stepper,
                source_BS,
                mask_BS,
                length_penalty=self._config.length_penalty,
                max_length_ratio=self._config.max_length_ratio,
                with_attention=self._with_attention,
            )
        return beam_search(
            self._stepper,
            source_BS,
            mask_BS,
            width=self._config.beam_width,
            length_penalty=self._config.length_penalty,
            max_length_ratio=self._config.max_length_ratio,
            num_best=self._num_best,
            with_attention=self._with_attention,
        )

    def _translation(
        self, line: str, source: list[int], parts: list[list[Candidate]]
    ) -> Translation:
        """Join the candidates of a line's parts: best with best, second with second."""
        if not parts:
            return Translation(line, (Hypothesis("", 0.0, 0.0),))
        hypotheses = tuple(
            self._hypothesis([part[min(rank, len(part) - 1)] for part in parts], len(source))
            for rank in range(max(map(len, parts)))
        )
        source_tokens = tuple(self._source_tokenizer.vocabulary.pieces_of(source))
        return Translation(line, hypotheses, source_tokens, num_parts=len(parts))

    def _hypothesis(self, parts: list[Candidate], source_length: int) -> Hypothesis:
        attention: list[tuple[float, ...]] = []
        before = 0  # source tokens of the parts before
        for part in parts if self._with_attention else ():
            width = len(part.attention[0]) - 1  # without the end of sentence
            after = source_length - before - width
            attention += [
                (*[0.0] * before, *row[:width], *[0.0] * after)
                for row in part.attention[: len(part.tokens)]
            ]
            before += width
        texts = (self._target_tokenizer.decode(part.tokens) for part in parts)
        return Hypothesis(
            text=" ".join(filter(None, texts)),
            score=sum(part.score for part in parts) / len(parts),
            log_probability=sum(part.log_probability for part in parts),
            tokens=tuple(
                self._target_tokenizer.vocabulary.pieces_of(
                    token for part in parts for token in part.tokens
                )
            ),
            attention=tuple(attention),
            is_complete=all(part.is_complete for part in parts),
        )


@contextmanager
def _threads_for_workers(num_workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a `map` that calls in this many threads, while torch uses one thread in each."""
    if num_workers == 0:
        yield map
        return
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pool = ThreadPoolExecutor(num_workers)
        try:
            yield pool.map if num_workers > 1 else map
        finally:
            pool.shutdown(cancel_futures=True)  # an interrupt does not wait for all batches
    finally:
        torch.set_num_threads(threads_before)
