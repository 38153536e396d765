"""What every training keeps to, whatever is trained: it can be stopped, and what it wrote loads."""

from pathlib import Path

import pytest
import torch

from seqcli.api.train import dry_run
from seqcli.api.translate import load_translator
from seqcli.bundle import read_bundle
from seqcli.experiment import Recipe
from seqcli.inspection.loading import load_seq2seq
from seqcli.text.parallel import read_parallel
from seqcli.training.interruption import Interrupted
from tests.api.trainings import (
    Corpus,
    Recorder,
    ask_to_stop_at,
    contents,
    corpus_for,
    recipe_of,
    train_at,
)
from tests.contracts.models import assignments_of

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")

TRAININGS = {  # of models that have as little in common as can be
    "layer-norm LSTM, fed": ["encoder.state_dropout=0.2", "decoder.state_dropout=0.2"],
    "dense GRU without attention, state copied": ["encoder.output_dropout=0.4"],
    "relu highway RNN, several heads, zero state": ["decoder.input_dropout=0.4"],
    "LSTM read forward, fed, state copied": ["encoder.state_dropout=0.3"],
}
OTHERS = ("classifier", "tagger", "language-model")
each_translator = pytest.mark.parametrize("name", TRAININGS)
each_training = pytest.mark.parametrize("name", [*TRAININGS, *OTHERS])


def recipe_for(name: str, corpus: Corpus) -> Recipe:
    if name in OTHERS:
        return recipe_of(corpus_for(name, corpus), architecture=name)
    sizes = ("encoder.size=16", "encoder.layers=2", "decoder.size=32")
    return recipe_of(
        corpus,
        *(f"model.{setting}" for setting in sizes),
        *assignments_of(name),
        *(f"model.{setting}" for setting in TRAININGS[name]),
        "evaluation.metric=loss",
        "training.epochs=1",
    )


@each_training
def test_stopped_and_resumed_equals_uninterrupted_bit_for_bit(
    name: str, tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_for(name, corpus)
    train_at(tmp_path / "whole", recipe)
    with pytest.raises(Interrupted):
        train_at(tmp_path / "stopped", recipe, Recorder(ask_to_stop_at(3)))
    train_at(tmp_path / "stopped", recipe, resume=True)
    whole, resumed = (read_bundle(tmp_path / part).weights for part in ("whole", "stopped"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


@pytest.mark.parametrize("architecture", OTHERS)
def test_a_dry_run_tells_of_the_model_that_is_trained_and_writes_nothing(
    architecture: str, tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_for(architecture, corpus)
    before = contents(tmp_path)
    told = dry_run(recipe, tmp_path / "model", device="cpu")
    assert contents(tmp_path) == before
    facts = train_at(tmp_path / "model", recipe)
    assert told["parameters"].startswith(f"{facts.parameters:,}: ")
    assert [text for text in told.values() if text == "40 to train on, 6 to validate on"]


@each_translator
def test_what_is_loaded_back_has_the_loss_that_was_validated_and_translates(
    name: str, tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_for(name, corpus)
    facts = train_at(tmp_path / "model", recipe)
    bundle = read_bundle(tmp_path / "model")
    loaded = load_seq2seq(str(tmp_path / "model"))
    assert bundle.weights.keys() == dict(loaded.model.named_parameters()).keys()
    validate = loaded.task.validation(loaded.model, read_parallel(*corpus["valid"]))
    with torch.inference_mode():
        assert validate().score == facts.scores[0].value

    lines = ["abc def", "", "gh"]
    for precision in ("float32", "int8"):
        translator = load_translator(str(tmp_path / "model"), precision=precision, num_best=2)
        assert [translation.source for translation in translator.translate(lines)] == lines
