"""Load whatever model gives text for text, by what it was trained for."""

from collections.abc import Callable

from seqcli.api.label import load_classifier, load_tagger
from seqcli.api.translate import load_translator
from seqcli.bundle import find_model, load_tokenizers, read_facts
from seqcli.errors import UsageError
from seqcli.evaluation import DEFAULT_METRICS
from seqcli.inspection.loading import task_of
from seqcli.translator import Translator

LABELLERS: dict[str, Callable[..., Translator]] = {  # by task
    "classification": load_classifier,
    "tagging": load_tagger,
}


def load_system(
    model: str, *, beam_width: int | None = None, threads: int | None = None
) -> Translator:
    """Load the model in a folder, or a shipped one by its name, as a translator of lines.

    Raises ModelError, also for a model that gives no text for text, and UsageError for a beam where
    nothing is searched for.
    """
    task = read_facts(find_model(model)).task
    load_labeller = LABELLERS.get(task)
    if load_labeller is None:
        return load_translator(model, beam_width=beam_width, threads=threads)
    if beam_width is not None:
        raise UsageError(
            f"a beam has no effect on a model for {task}",
            why="the most probable labels are found without a search",
            fix="Leave it out",
        )
    return load_labeller(model, threads=threads)


def usual_metrics(model: str) -> tuple[str, ...]:
    """Return the metrics that suit a model. Raises ModelError."""
    folder = find_model(model)
    facts = read_facts(folder)
    if facts.task not in LABELLERS:
        return DEFAULT_METRICS
    return task_of(facts, folder, load_tokenizers(folder)).test_metrics()
