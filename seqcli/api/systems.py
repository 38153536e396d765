"""Load whatever model gives text for text, by what it was trained for."""

from seqcli.api.statistical import is_statistical, load_statistical
from seqcli.api.translate import load_translator
from seqcli.bundle import find_model, load_tokenizers, read_facts
from seqcli.errors import UsageError
from seqcli.evaluation import DEFAULT_METRICS
from seqcli.translator import Translator

LABELLING = ("classification", "tagging")  # tasks


def load_system(
    model: str, *, beam_width: int | None = None, threads: int | None = None
) -> Translator:
    """Load the model in a folder, or a shipped one by its name, as a translator of lines.

    Raises ModelError, also for a model that gives no text for text, and UsageError for a beam where
    nothing is searched for.
    """
    facts = read_facts(find_model(model))
    if is_statistical(facts.architecture):
        return load_statistical(model, beam_width=beam_width, threads=threads)
    if facts.task not in LABELLING:
        return load_translator(model, beam_width=beam_width, threads=threads)
    if beam_width is not None:
        raise UsageError(
            f"a beam has no effect on a model for {facts.task}",
            why="the most probable labels are found without a search",
            fix="Leave it out",
        )
    from seqcli.api.label import load_classifier, load_tagger

    load_labeller = load_classifier if facts.task == "classification" else load_tagger
    return load_labeller(model, threads=threads)


def usual_metrics(model: str) -> tuple[str, ...]:
    """Return the metrics that suit a model. Raises ModelError."""
    folder = find_model(model)
    facts = read_facts(folder)
    if facts.task not in LABELLING:
        return DEFAULT_METRICS
    from seqcli.inspection.loading import task_of

    return task_of(facts, folder, load_tokenizers(folder)).test_metrics()
