"""What a good hand writes in plain PyTorch: the yardstick.

The model is `Seq2Seq` with the same parameters under other names, so that weights can be taken
over and both be held against each other. It does nothing clever: packed float32 `nn.LSTM`, the
whole logits at once, Adam without fusion, and a greedy loop that runs until every row has ended.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2SeqConfig
from seqcli.data.batch import PairBatch, source_tensors
from seqcli.decoding.search import MAX_LENGTH_RATIO, longest_output
from seqcli.tokenizers import BOS, EOS, PAD, Tokenizer
from tests.benchmarks.plain_layers import InputFeedingLoop

Names = tuple[tuple[str, str], ...]  # patterns of the weights of Seq2Seq, and their names here
COMMON_NAMES: Names = (
    (r"^output_weight$", "embedding.weight"),
    (r"^encoder\.stack\.layers\.(\d+)\.forwards\.lstm\.(\w+)$", r"encoder.\1.\2"),
    (r"^encoder\.stack\.layers\.(\d+)\.backwards\.lstm\.(\w+)$", r"encoder.\1.\2_reverse"),
    (r"^decoder\.bridge\.", "bridge."),
)


class PlainModel(nn.Module):
    """BiLSTM encoder, LSTM decoder, scaled Luong attention after it, all embeddings tied."""

    names: ClassVar[Names] = (
        *COMMON_NAMES,
        (r"^decoder\.stack\.layers\.0\.lstm\.", "decoder."),
        (r"^decoder\.attention\.key_projection\.", "attention."),
        (r"^decoder\.combination\.", "combination."),
    )

    def __init__(self, config: Seq2SeqConfig, vocabulary_size: int) -> None:
        super().__init__()
        encoder, decoder = config.encoder, config.decoder
        known = Seq2SeqConfig(
            embedding_size=config.embedding_size,
            encoder=EncoderConfig(size=encoder.size, layers=encoder.layers, stack=encoder.stack),
            decoder=DecoderConfig(size=decoder.size),
            dropout=config.dropout,
            word_dropout=config.word_dropout,
        )
        if config != known or encoder.stack not in ("plain", "residual"):
            raise SystemExit(f"the plain loop has no such model: {config.summary()}")
        width, size = config.embedding_size, encoder.size
        self.residual = encoder.stack == "residual"
        self.scale = math.sqrt(width)
        self.embedding = nn.Embedding(vocabulary_size, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.encoder = nn.ModuleList(
            nn.LSTM(2 * size if depth else width, size, batch_first=True, bidirectional=True)
            for depth in range(encoder.layers)
        )
        self.decoder: nn.Module = nn.LSTM(width, decoder.size, batch_first=True)
        self.attention = nn.Linear(2 * size, decoder.size, bias=False)
        self.combination = nn.Linear(decoder.size + 2 * size, width)
        self.bridge = nn.Linear(2 * size, 2 * decoder.size)

    def take_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy the weights of a Seq2Seq model of the same sizes; raises RuntimeError for others."""
        renamed = {}
        for name, tensor in weights.items():
            for pattern, other_name in self.names:
                name = re.sub(pattern, other_name, name)
            renamed[name] = tensor
        self.load_state_dict(renamed)

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return states_BSH and the decoder's first state."""
        lengths_B = mask_BS.sum(1)
        below = pack_padded_sequence(
            self.embedding(source_BS) * self.scale,
            lengths_B,
            batch_first=True,
            enforce_sorted=False,
        )
        for depth, layer in enumerate(self.encoder):
            above, _ = layer(below)
            if depth and self.residual:
                above = PackedSequence(below.data + above.data, *above[1:])
            below = above
        states_BSH, _ = pad_packed_sequence(below, batch_first=True)
        mean_BH = states_BSH.sum(1) / lengths_B.unsqueeze(1)
        hidden_BH, cell_BH = torch.tanh(self.bridge(mean_BH)).unsqueeze(0).chunk(2, dim=2)
        return states_BSH, (hidden_BH.contiguous(), cell_BH.contiguous())

    def decode(
        self,
        tokens_BT: Tensor,
        state: tuple[Tensor, Tensor],
        states_BSH: Tensor,
        keys_BSH: Tensor,
        mask_BS: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Read T tokens; return logits_BTV and the new state."""
        queries_BTH, state = self.decoder(self.embedding(tokens_BT) * self.scale, state)
        scores_BTS = queries_BTH @ keys_BSH.transpose(1, 2) * keys_BSH.shape[2] ** -0.5
        weights_BTS = scores_BTS.masked_fill(~mask_BS.unsqueeze(1), -torch.inf).softmax(2)
        both_BTH = torch.cat([queries_BTH, weights_BTS @ states_BSH], dim=2)
        features_BTE = torch.tanh(self.combination(both_BTH))
        return self.predict(features_BTE), state

    def predict(self, features_BTE: Tensor) -> Tensor:
        """Return logits_BTV."""
        return features_BTE @ self.embedding.weight.T + self.output_bias

    def logits(self, batch: PairBatch) -> Tensor:
        """Return logits_BTV of what follows each target token."""
        states_BSH, state = self.encode(batch.source_BS, batch.source_mask_BS)
        keys_BSH = self.attention(states_BSH)
        return self.decode(
            batch.target_input_BT, state, states_BSH, keys_BSH, batch.source_mask_BS
        )[0]

    def loss(self, batch: PairBatch) -> Tensor:
        """Return the mean cross-entropy of the target tokens, in nats."""
        return nn.functional.cross_entropy(
            self.logits(batch).flatten(0, 1), batch.target_output_BT.flatten(), ignore_index=PAD
        )


class PlainFeedingModel(PlainModel):
    """The same with input feeding, to be trained only."""

    names: ClassVar[Names] = (
        *COMMON_NAMES,
        (r"^decoder\.stack\.layers\.0\.lstm\.(\w+)_l0$", r"decoder.cell.\1"),
        (r"^decoder\.attention\.key_projection\.", "decoder.keys."),
    )

    def __init__(self, config: Seq2SeqConfig, vocabulary_size: int) -> None:
        without_feeding = msgspec.structs.replace(config, input_feeding=False)
        super().__init__(without_feeding, vocabulary_size)
        del self.attention, self.combination  # the loop has its own
        self.decoder = InputFeedingLoop(
            embedding_size=config.embedding_size,
            hidden_size=config.decoder.size,
            memory_size=config.encoder.output_size,
        )

    def logits(self, batch: PairBatch) -> Tensor:
        """Return logits_BTV of what follows each target token."""
        states_BSH, (hidden_1BH, cell_1BH) = self.encode(batch.source_BS, batch.source_mask_BS)
        embedded_BTE = self.embedding(batch.target_input_BT) * self.scale
        state = hidden_1BH[0], cell_1BH[0]
        return self.predict(self.decoder(embedded_BTE, states_BSH, batch.source_mask_BS, state))


def plain_model(config: Seq2SeqConfig, vocabulary_size: int) -> PlainModel:
    """Build the untrained model; SystemExit where there is none for this config."""
    kind = PlainFeedingModel if config.input_feeding else PlainModel
    return kind(config, vocabulary_size)


def training_step(
    model: PlainModel, optimizer: torch.optim.Optimizer, batch: PairBatch, *, clip_norm: float
) -> float:
    """Make one update; return the loss."""
    optimizer.zero_grad()
    loss = model.loss(batch)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return loss.item()


@torch.inference_mode()
def greedy_tokens(model: PlainModel, sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the output tokens of a batch, without the end of sentence."""
    source_BS, mask_BS = source_tensors(sources)
    states_BSH, state = model.encode(source_BS, mask_BS)
    keys_BSH = model.attention(states_BSH)
    tokens_BT = torch.full((len(sources), 1), BOS)
    ended_B = torch.zeros(len(sources), dtype=torch.bool)
    for _ in range(longest_output(source_BS.shape[1], MAX_LENGTH_RATIO)):
        logits_B1V, state = model.decode(tokens_BT[:, -1:], state, states_BSH, keys_BSH, mask_BS)
        token_B1 = logits_B1V.argmax(2)
        tokens_BT = torch.cat([tokens_BT, token_B1], dim=1)
        ended_B |= token_B1[:, 0] == EOS
        if ended_B.all():
            break
    rows = tokens_BT[:, 1:].tolist()
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]


class PlainTranslator:
    """Lines in, lines out, in batches of sentences of similar length."""

    def __init__(
        self, model: PlainModel, *, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer
    ) -> None:
        self._model = model.eval()
        self._source_tokenizer = source_tokenizer
        self._target_tokenizer = target_tokenizer

    def translate(self, lines: Sequence[str], *, batch_sentences: int) -> list[str]:
        sources = self._source_tokenizer.encode_batch(lines)
        order = sorted(range(len(sources)), key=lambda index: len(sources[index]))
        texts = [""] * len(lines)
        for start in range(0, len(order), batch_sentences):
            batch = order[start : start + batch_sentences]
            outputs = greedy_tokens(self._model, [sources[index] for index in batch])
            for index, tokens in zip(batch, outputs, strict=True):
                texts[index] = self._target_tokenizer.decode(tokens)
        return texts
