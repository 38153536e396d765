"""Seq2Seq models that together have every choice of a recipe, each choice in at least one."""

from collections.abc import Iterator
from typing import Any

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import TIES, Seq2SeqConfig
from seqcli.nn.attention import ATTENTIONS
from seqcli.nn.bridge import BRIDGES
from seqcli.nn.cells import CELLS
from seqcli.nn.recurrent import DIRECTIONS
from seqcli.nn.stacks import STACKS

CHOICES = {  # by their key in a recipe
    "encoder.cell": CELLS,
    "encoder.direction": DIRECTIONS,
    "encoder.stack": STACKS,
    "decoder.cell": CELLS,
    "decoder.stack": STACKS,
    "bridge": BRIDGES,
    "attention": ATTENTIONS,
    "input_feeding": (True, False),
    "tie_embeddings": TIES,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "the default": {},
    "layer-norm LSTM, fed": {
        "encoder": {"cell": "layer-norm-lstm", "stack": "highway", "layers": 3},
        "decoder": {"cell": "layer-norm-lstm", "layers": 2, "projection": True, "skip_from": 1},
        "attention": "additive",
        "input_feeding": True,
        "tie_embeddings": "target-output",
    },
    "dense GRU without attention, state copied": {
        "encoder": {"cell": "gru", "direction": "backward", "stack": "dense", "size": 32},
        "decoder": {"cell": "gru", "stack": "dense", "layers": 2},
        "bridge": "copy",
        "attention": "none",
        "tie_embeddings": "source-target",
    },
    "relu highway RNN, several heads, zero state": {
        "encoder": {"cell": "rnn-relu", "stack": "highway", "projection": True, "skip_from": 1},
        "decoder": {"cell": "rnn-relu", "stack": "highway", "layers": 2, "carry_bias": 0.5},
        "bridge": "zero",
        "attention": "multi-head",
        "tie_embeddings": "source-output",
    },
    "plain tanh RNN, fed, several heads": {
        "encoder": {"cell": "rnn-tanh", "stack": "plain"},
        "decoder": {"cell": "rnn-tanh", "stack": "plain", "layers": 2},
        "attention": "multi-head",
        "attention_heads": 2,
        "input_feeding": True,
        "tie_embeddings": "none",
        "target_embedding_size": 20,
    },
    "LSTM read forward, fed, state copied": {
        "encoder": {"direction": "forward", "size": 32},
        "decoder": {"layers": 2},
        "bridge": "copy",
        "attention": "dot",
        "input_feeding": True,
    },
    "one vector from a GRU to an LSTM": {
        "encoder": {"cell": "gru"},
        "attention": "none",
    },
}


def config_of(name: str, *, stacks: dict[str, Any] | None = None, **settings: Any) -> Seq2SeqConfig:
    """Return a small model of the table, without dropout unless `settings` have it.

    `settings` are those of the section `model`, `stacks` those of both stacks.
    """
    values = {"embedding_size": 16, "dropout": 0.0, "word_dropout": 0.0, **SETTINGS[name]}
    encoder = {"size": 16, **values.pop("encoder", {}), **(stacks or {})}
    decoder = {"size": 32, **values.pop("decoder", {}), **(stacks or {})}
    return Seq2SeqConfig(
        encoder=EncoderConfig(**encoder), decoder=DecoderConfig(**decoder), **{**values, **settings}
    )


def assignments_of(name: str) -> Iterator[str]:
    """The settings of a model of the table, as a command line has them."""
    for key, value in SETTINGS[name].items():
        for inner, setting in value.items() if isinstance(value, dict) else [("", value)]:
            yield f"model.{key}{'.' if inner else ''}{inner}={str(setting).lower()}"
