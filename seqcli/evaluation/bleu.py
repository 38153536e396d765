"""BLEU (Papineni et al., 2002) of a corpus."""

from typing import TYPE_CHECKING

from seqcli.config import require_one_of
from seqcli.errors import ConfigError
from seqcli.evaluation.sacrebleu_metric import SacrebleuMetric

if TYPE_CHECKING:
    import sacrebleu.metrics.bleu

# sacreBLEU's others download a model the first time that they are used
BLEU_TOKENIZERS = ("13a", "intl", "char", "none", "zh", "ja-mecab", "ko-mecab")


class BLEU(SacrebleuMetric):
    """Geometric mean of the n-gram precisions up to four, times the brevity penalty, in percent.

    `tokenize` cuts hypotheses and references alike; "none" is for text that is tokenised already.
    Raises ConfigError for an unknown tokenizer, or one whose own packages are not installed.
    """

    name = "BLEU"
    higher_is_better = True

    def __init__(self, *, lowercase: bool = False, tokenize: str = BLEU_TOKENIZERS[0]) -> None:
        super().__init__(lowercase=lowercase)
        require_one_of("BLEU's tokenizer", tokenize, BLEU_TOKENIZERS)
        self.tokenize = tokenize
        self.expects_raw_text = tokenize != "none"
        try:
            self.scorer()
        except RuntimeError as error:
            language = tokenize.partition("-")[0]
            raise ConfigError(
                f"BLEU's tokenizer {tokenize} is not installed",
                why="it needs a dictionary of its own, which few users want",
                fix=f'Install it with: pip install "sacrebleu[{language}]"',
            ) from error

    def scorer(self) -> "sacrebleu.metrics.bleu.BLEU":
        from sacrebleu.metrics import bleu

        return bleu.BLEU(lowercase=self.lowercase, tokenize=self.tokenize, force=True)
