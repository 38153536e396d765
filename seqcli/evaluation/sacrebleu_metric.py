"""What BLEU, chrF and TER share: sacreBLEU counts, so that scores compare with published ones.

An empty line in a further reference counts as an empty reference, as in the sacrebleu command.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqcli.evaluation.base import Metric

if TYPE_CHECKING:
    import sacrebleu.metrics.base


class SacrebleuMetric(Metric):
    """A metric whose value and signature are those of the `sacrebleu` command."""

    expects_raw_text = True

    @abstractmethod
    def scorer(self) -> "sacrebleu.metrics.base.Metric":
        """A new scorer: sacreBLEU's keep the number of references of their last call."""

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        scorer = self.scorer()
        score = scorer.corpus_score(hypotheses, references)
        return score.score, scorer.get_signature().format()
