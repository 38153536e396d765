"""Scores of hypotheses against references, both as lists of strings."""

from seqcli.evaluation.accuracy import Accuracy, TokenAccuracy
from seqcli.evaluation.base import Metric, Score
from seqcli.evaluation.bleu import BLEU, BLEU_TOKENIZERS
from seqcli.evaluation.buckets import LengthBucket
from seqcli.evaluation.chrf import CHRF
from seqcli.evaluation.error_rate import PhoneErrorRate, WordErrorRate
from seqcli.evaluation.f1 import MacroF1, SpanF1
from seqcli.evaluation.ter import TER

METRICS: dict[str, type[Metric]] = {
    "bleu": BLEU,
    "chrf": CHRF,
    "ter": TER,
    "accuracy": Accuracy,
    "macro-f1": MacroF1,
    "token-accuracy": TokenAccuracy,
    "span-f1": SpanF1,
    "per": PhoneErrorRate,
    "wer": WordErrorRate,
}

DEFAULT_METRICS = ("bleu", "chrf")
DEFAULT_BLEU_TOKENIZER = BLEU_TOKENIZERS[0]

__all__ = [
    "BLEU",
    "BLEU_TOKENIZERS",
    "DEFAULT_BLEU_TOKENIZER",
    "DEFAULT_METRICS",
    "METRICS",
    "LengthBucket",
    "Metric",
    "Score",
]
