"""chrF (Popović, 2015) of a corpus."""

from typing import TYPE_CHECKING

from seqcli.evaluation.sacrebleu_metric import SacrebleuMetric

if TYPE_CHECKING:
    import sacrebleu.metrics.chrf


class CHRF(SacrebleuMetric):
    """F score of the character n-grams up to six, recall counting double, in percent."""

    name = "chrF2"
    higher_is_better = True

    def scorer(self) -> "sacrebleu.metrics.chrf.CHRF":
        from sacrebleu.metrics import chrf

        return chrf.CHRF(lowercase=self.lowercase)
