"""Whether two systems differ by more than the choice of test lines."""

from collections.abc import Sequence
from typing import Any

from seqcli.evaluation.sacrebleu_metric import SacrebleuMetric

NUM_SAMPLES = 1000  # test sets drawn with replacement from the one that there is


def paired_p_values(
    metric: SacrebleuMetric,
    baseline: Sequence[str],
    others: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
) -> list[float]:
    """How often chance alone makes each of the others differ from the baseline by so much.

    Paired bootstrap resampling (Koehn, 2004) as sacreBLEU does it, from the same samples each time.
    """
    from sacrebleu.significance import PairedTest

    systems = [(str(number), lines) for number, lines in enumerate([baseline, *others])]
    test = PairedTest(
        systems, {metric.name: metric.scorer()}, references, "bs", n_samples=NUM_SAMPLES
    )
    results: Any = test()[1]  # whose declared type mixes the names of systems with their results
    return [float(result.p_value) for result in results[metric.name][1:]]
