"""The scores that a translator reaches, as a model's folder records them."""

from seqcli.api.evaluate import score_lines
from seqcli.bundle import BundleScore
from seqcli.evaluation import DEFAULT_METRICS
from seqcli.training.report import Reporter
from seqcli.translator import Translator


def translation_scores(
    translator: Translator, name: str, pairs: tuple[list[str], list[str]], reporter: Reporter
) -> list[BundleScore]:
    """Translate the source lines of a set and score them; no scores for a set without lines.

    The reporter hears them, but for those on a test set: these are what a training returns.
    """
    source, target = pairs
    if not source:
        return []
    hypotheses = [translation.text for translation in translator.translate(source)]
    scores = score_lines(hypotheses, [target], DEFAULT_METRICS)
    for score in scores if name != "test" else ():
        reporter.message(f"{name} {score.name} {score.value:.2f}  {score.signature}")
    return [
        BundleScore(name=score.name, value=score.value, signature=score.signature, set=name)
        for score in scores
    ]
