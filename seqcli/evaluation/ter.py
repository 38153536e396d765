"""Translation edit rate (Snover et al., 2006) of a corpus."""

from typing import TYPE_CHECKING

from seqcli.evaluation.sacrebleu_metric import SacrebleuMetric

if TYPE_CHECKING:
    import sacrebleu.metrics.ter


class TER(SacrebleuMetric):
    """Edits and shifts of words for each reference word, in percent.

    Case never counts, as in Tercom, so that `lowercase` makes no difference.
    """

    name = "TER"
    higher_is_better = False

    def scorer(self) -> "sacrebleu.metrics.ter.TER":
        from sacrebleu.metrics import ter

        return ter.TER()
