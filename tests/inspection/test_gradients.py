"""Gradients by step and layer, against finite differences, by hand, and sentence by sentence."""

import copy
import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqcli.architectures.anatomy import anatomy_of
from seqcli.data.batch import LabelledBatch, TextBatch, pair_batch
from seqcli.data.dataset import Example
from seqcli.errors import ConfigError, DataError
from seqcli.inspection import gradients as room
from seqcli.inspection.gradients import (
    GradientFlow,
    LagGradient,
    factor_per_step,
    gradient_flow,
)
from seqcli.inspection.graphs import run
from seqcli.inspection.loading import LoadedModel
from seqcli.nn.cells import CELLS, RecurrentLayer
from seqcli.nn.heads import POOLINGS
from seqcli.nn.recurrent import DIRECTIONS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import PAD, SPECIAL_PIECES
from tests.inspection.models import (
    LABELS,
    READERS,
    SOURCES,
    TAGS,
    TARGETS,
    TEXTS,
    untrained_model,
)

STEP = 1e-5  # of finite differences
ONE_WAY = {"size": 3, "layers": 2, "direction": "forward"}
MODELS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "input feeding": {"input_feeding": True},
    "no attention": {"attention": "none"},
    "a copied state": {"bridge": "copy", "encoder": ONE_WAY, "decoder": {"size": 3, "layers": 2}},
    "projection": {"decoder": {"size": 5, "layers": 2, "projection": True}},
    **{
        cell: {"encoder": {"cell": cell, "size": 3}, "decoder": {"cell": cell, "size": 5}}
        for cell in CELLS
    },
    **{
        stack: {part: {"stack": stack, "size": 4, "layers": 3} for part in ("encoder", "decoder")}
        for stack in STACKS
    },
}

each_model = pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
each_part = pytest.mark.parametrize("part", ["encoder", "decoder"])


def example_of(loaded: LoadedModel, source: str, target: str) -> Example:
    return Example(loaded.source_tokenizer.encode(source), loaded.target_tokenizer.encode(target))


def token_losses(model: nn.Module, batch: Any) -> Tensor:
    """The plain formula, through the model's own forward; zero where nothing is to be told."""
    if isinstance(batch, TextBatch):
        features_BTE, _ = model(batch.input_BT)
        logits_BTV = features_BTE @ model.output_weight.T + model.output_bias
        return nn.functional.cross_entropy(
            logits_BTV.transpose(1, 2), batch.output_BT, reduction="none"
        )
    if isinstance(batch, LabelledBatch):
        logits_BXV = model.output(model(batch.source_BS, batch.source_mask_BS))
        labels_BL = batch.labels_BL - len(SPECIAL_PIECES)
        return nn.functional.cross_entropy(
            logits_BXV.view(*labels_BL.shape, -1).transpose(1, 2),
            labels_BL,
            reduction="none",
            ignore_index=PAD - len(SPECIAL_PIECES),
        )
    features_BTE = model(batch.source_BS, batch.source_mask_BS, batch.target_input_BT)
    logits_BTV = features_BTE @ model.output_weight.T + model.output_bias
    return nn.functional.cross_entropy(
        logits_BTV.transpose(1, 2), batch.target_output_BT, reduction="none"
    )


def differences(model: nn.Module, batch: Any, module: nn.Module) -> Tensor:
    """The gradient of each token's loss by what the module gives, by finite differences.

    There is one sentence; a batch has it again and again, with another number nudged in each row.
    `module` gives one tensor, or it is first of a tuple. Axes of the result: loss, step, unit.
    """
    shapes: list[torch.Size] = []

    def losses_with(nudges: Tensor) -> Tensor:
        def add(module: nn.Module, arguments: Any, output: Any) -> Any:
            states = output[0] if isinstance(output, tuple) else output
            shapes.append(states.shape[1:])
            states = states + nudges
            return (states, *output[1:]) if isinstance(output, tuple) else states

        handle = module.register_forward_hook(add)
        losses = token_losses(model, type(batch)(*(part.repeat(len(nudges), 1) for part in batch)))
        handle.remove()
        return losses

    losses_with(torch.zeros(1, 1, 1))
    nudges_NN = torch.eye(shapes[0].numel(), dtype=torch.float64) * STEP
    nudges = torch.cat([nudges_NN, -nudges_NN]).unflatten(1, shapes[0])
    more_NT, less_NT = losses_with(nudges).chunk(2)
    return ((more_NT - less_NT) / (2 * STEP)).T.unflatten(1, shapes[0])


def precise(loaded: LoadedModel) -> Any:
    return copy.deepcopy(loaded.model).double()


def batch_of(loaded: LoadedModel, *text: list[str]) -> Any:
    return loaded.task.make_batch(loaded.task.encode(text, alpha=0.0, seed=0))


def norms(flow: GradientFlow) -> Tensor:
    return torch.tensor([lag.norm for lag in flow.lags], dtype=torch.float64)


def layer_norms(flow: GradientFlow) -> Tensor:
    return torch.tensor([layer.norm for layer in flow.layers], dtype=torch.float64)


class TestByLag:
    @each_model
    def test_the_encoder_has_the_differences_of_the_whole_loss_by_each_input(
        self, settings: dict[str, Any]
    ) -> None:
        loaded = untrained_model(**settings, tie_embeddings="none")
        flow = gradient_flow(loaded, SOURCES[3:], TARGETS[:1], part="encoder")
        model = copy.deepcopy(loaded.model).double()
        batch = pair_batch([example_of(loaded, SOURCES[3], TARGETS[0])])
        gradient_TSE = differences(model, batch, model.source_embedding) / model.source_scale
        expected_S = gradient_TSE.sum(0).norm(dim=1).flip(0)
        torch.testing.assert_close(norms(flow), expected_S, rtol=1e-6, atol=1e-9)
        assert [(lag.lag, lag.count) for lag in flow.lags] == [(k, 1) for k in range(6)]

    @each_model
    def test_the_decoder_has_the_differences_of_each_token_loss_by_each_input(
        self, settings: dict[str, Any]
    ) -> None:
        loaded = untrained_model(**settings, tie_embeddings="none")
        flow = gradient_flow(loaded, SOURCES[:1], TARGETS[:1])
        model = copy.deepcopy(loaded.model).double()
        batch = pair_batch([example_of(loaded, SOURCES[0], TARGETS[0])])
        gradient_TTE = differences(model, batch, model.target_embedding) / model.target_scale
        norm_TT = gradient_TTE.norm(dim=2)
        expected_K = torch.stack([norm_TT.diagonal(-lag).mean() for lag in range(4)])
        torch.testing.assert_close(norms(flow), expected_K, rtol=1e-6, atol=1e-9)
        assert [(lag.lag, lag.count) for lag in flow.lags] == [(0, 4), (1, 3), (2, 2), (3, 1)]

    def test_a_network_of_one_unit_has_the_product_of_its_derivatives(self) -> None:
        loaded = untrained_model(
            embedding_size=1,
            encoder={"size": 1, "layers": 1},
            decoder={"cell": "rnn-tanh", "size": 1, "layers": 1},
            attention="none",
        )
        flow = gradient_flow(loaded, SOURCES[:1], TARGETS[:1])
        model = copy.deepcopy(loaded.model).double()
        batch = pair_batch([example_of(loaded, SOURCES[0], TARGETS[0])])
        w, u, *biases = (
            float(weight.sum()) for weight in model.decoder.stack.layers[0].parameters()
        )
        c = float(model.decoder.combination.weight)
        _, state = model.encode(batch.source_BS, batch.source_mask_BS)
        h = float(state.layers[0][0])
        slopes, errors = [], []
        for read, wanted in zip(*(tokens[0] for tokens in batch[2:4]), strict=True):
            x = float(model.embed_target(read[None, None]))
            h = math.tanh(w * x + u * h + sum(biases))
            feature = math.tanh(c * h + float(model.decoder.combination.bias))
            share_V = (model.output_weight[:, 0] * feature + model.output_bias).softmax(0)
            share_V[wanted] -= 1
            slopes.append(1 - h * h)
            errors.append(float(share_V @ model.output_weight[:, 0]) * (1 - feature**2) * c)
        for lag, norm in enumerate(norms(flow).tolist()):
            expected = [
                abs(errors[step] * u**lag * w * math.prod(slopes[step - lag : step + 1]))
                for step in range(lag, len(errors))
            ]
            assert norm == pytest.approx(sum(expected) / len(expected), rel=1e-9)


class TestByLayer:
    @each_part
    @pytest.mark.parametrize("stack", STACKS)
    def test_a_layer_has_the_differences_of_the_whole_loss_by_its_outputs(
        self, part: str, stack: str
    ) -> None:
        loaded = untrained_model(**MODELS[stack])
        flow = gradient_flow(loaded, SOURCES[:1], TARGETS[:1], part=part)
        model = copy.deepcopy(loaded.model).double()
        batch = pair_batch([example_of(loaded, SOURCES[0], TARGETS[0])])
        expected = []
        for layer in getattr(model, part).stack.layers:
            watched = [one for one in layer.modules() if isinstance(one, RecurrentLayer)]
            rows = [differences(model, batch, one).sum(0) for one in watched]
            expected.append(torch.stack(rows).norm())
        torch.testing.assert_close(layer_norms(flow), torch.stack(expected), rtol=1e-6, atol=1e-9)
        assert [layer.layer for layer in flow.layers] == [1, 2, 3]
        assert flow.lowest_to_top == pytest.approx(float(expected[0] / expected[-1]))

    def test_feeding_nothing_back_changes_nothing(self) -> None:
        """Step by step, with weights of zero on what is fed, as at once."""
        fed = untrained_model(input_feeding=True)
        plain = untrained_model()
        source, target = fed.model.state_dict(), plain.model.state_dict()
        first = "decoder.stack.layers.0.lstm.weight_ih_l0"
        for name, weight in source.items():
            target[name].copy_(weight[:, :4] if name == first else weight)
        source[first][:, 4:] = 0
        for part in ("encoder", "decoder"):
            flows = [gradient_flow(each, SOURCES, TARGETS, part=part) for each in (fed, plain)]
            torch.testing.assert_close(norms(flows[0]), norms(flows[1]))
            torch.testing.assert_close(layer_norms(flows[0]), layer_norms(flows[1]))


@each_part
@each_model
def test_padding_changes_nothing(
    settings: dict[str, Any], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = untrained_model(**settings)
    together = gradient_flow(loaded, SOURCES, TARGETS, part=part)
    monkeypatch.setattr(room, "BATCH_TOKENS", 1)
    one_by_one = gradient_flow(loaded, SOURCES, TARGETS, part=part)
    torch.testing.assert_close(norms(together), norms(one_by_one))
    torch.testing.assert_close(layer_norms(together), layer_norms(one_by_one))
    assert [lag.count for lag in together.lags] == [lag.count for lag in one_by_one.lags]
    assert together.factor_per_step == pytest.approx(one_by_one.factor_per_step)


class TestOthers:
    """Models that read one text only."""

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_a_classifier_has_the_differences_of_its_loss_by_each_input(
        self, pooling: str, cell: str
    ) -> None:
        loaded = untrained_model(
            f"model.pooling={pooling}", f"model.encoder.cell={cell}", architecture="classifier"
        )
        flow = gradient_flow(loaded, SOURCES[3:], LABELS[3:])
        model, batch = precise(loaded), batch_of(loaded, SOURCES[3:], LABELS[3:])
        gradient_1SE = differences(model, batch, model.source_embedding) / model.source_scale
        expected_S = gradient_1SE[0].norm(dim=1).flip(0)
        torch.testing.assert_close(norms(flow), expected_S, rtol=1e-6, atol=1e-9)
        assert [(lag.lag, lag.count) for lag in flow.lags] == [(k, 1) for k in range(6)]
        assert (flow.task, flow.part) == ("classification", "encoder")

    @pytest.mark.parametrize("kind", ["words", "characters"])
    @pytest.mark.parametrize("direction", DIRECTIONS)
    def test_a_tagger_has_the_differences_of_each_tag_by_the_inputs_that_it_can_see(
        self, direction: str, kind: str
    ) -> None:
        loaded = untrained_model(
            f"model.encoder.direction={direction}", architecture="tagger", kind=kind
        )
        flow = gradient_flow(loaded, SOURCES[1:2], TAGS[1:2])
        model, batch = precise(loaded), batch_of(loaded, SOURCES[1:2], TAGS[1:2])
        norm_TS = differences(model, batch, model.source_embedding).norm(dim=2)
        by_lag: dict[int, list[float]] = {}
        for tag in (batch.labels_BL[0] != PAD).nonzero()[:, 0].tolist():
            for read, norm in enumerate((norm_TS[tag] / model.source_scale).tolist()):
                seen = {"forward": read <= tag, "backward": read >= tag}.get(direction, True)
                assert seen or norm == 0
                if seen:
                    by_lag.setdefault(abs(tag - read), []).append(norm)
        assert {lag.lag: lag.count for lag in flow.lags} == {
            lag: len(found) for lag, found in by_lag.items()
        }
        expected = [sum(found) / len(found) for _, found in sorted(by_lag.items())]
        assert norms(flow).tolist() == pytest.approx(expected, rel=1e-6, abs=1e-9)

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("size", [4, 5])
    def test_a_language_model_has_the_differences_of_each_token_loss_by_each_input(
        self, cell: str, size: int
    ) -> None:
        loaded = untrained_model(
            f"model.decoder.cell={cell}",
            f"model.decoder.size={size}",
            architecture="language-model",
        )
        flow = gradient_flow(loaded, SOURCES[:1])
        model, batch = precise(loaded), batch_of(loaded, SOURCES[:1])
        norm_TT = differences(model, batch, model.embedding).norm(dim=2) / model.embedding_scale
        expected_K = torch.stack([norm_TT.diagonal(-lag).mean() for lag in range(4)])
        torch.testing.assert_close(norms(flow), expected_K, rtol=1e-6, atol=1e-9)
        assert [(lag.lag, lag.count) for lag in flow.lags] == [(0, 4), (1, 3), (2, 2), (3, 1)]

    @pytest.mark.parametrize("architecture", [*READERS, "language-model"])
    def test_a_layer_has_the_differences_of_the_whole_loss_by_its_outputs(
        self, architecture: str
    ) -> None:
        loaded = untrained_model(architecture=architecture)
        text = [side[:1] for side in TEXTS[architecture]]
        model, batch = precise(loaded), batch_of(loaded, *text)
        (placed,) = anatomy_of(model, loaded.recipe.model).stacks.values()
        expected = []
        for layer in placed.stack.layers:
            watched = [one for one in layer.modules() if isinstance(one, RecurrentLayer)]
            rows = [differences(model, batch, one).sum(0) for one in watched]
            expected.append(torch.stack(rows).norm())
        flow = gradient_flow(loaded, *text)
        torch.testing.assert_close(layer_norms(flow), torch.stack(expected), rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("kind", ["words", "characters"])
    @pytest.mark.parametrize("architecture", [*READERS, "language-model"])
    def test_padding_changes_nothing(
        self, architecture: str, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded = untrained_model(architecture=architecture, kind=kind)
        together = gradient_flow(loaded, *TEXTS[architecture])
        monkeypatch.setattr(room, "BATCH_TOKENS", 1)
        one_by_one = gradient_flow(loaded, *TEXTS[architecture])
        torch.testing.assert_close(norms(together), norms(one_by_one))
        torch.testing.assert_close(layer_norms(together), layer_norms(one_by_one))
        assert [lag.count for lag in together.lags] == [lag.count for lag in one_by_one.lags]

    @pytest.mark.parametrize("architecture", TEXTS)
    def test_text_of_another_number_of_sides_is_refused(self, architecture: str) -> None:
        text = [SOURCES] if len(TEXTS[architecture]) == 2 else [SOURCES, TARGETS]
        with pytest.raises(ConfigError, match="learns from") as caught:
            gradient_flow(untrained_model(architecture=architecture), *text)
        assert "references" in caught.value.fix

    def test_a_label_that_was_not_learned_is_named_with_its_line(self) -> None:
        loaded = untrained_model(architecture="classifier")
        many = 5 * len(SOURCES)
        with pytest.raises(DataError, match=f"line {many}: the label 'plant' is not"):
            gradient_flow(loaded, SOURCES * 5, [*LABELS * 4, *LABELS[:3], "plant"], sentences=many)
        before = gradient_flow(loaded, SOURCES * 5, [*LABELS * 4, *["plant"] * 4], sentences=4)
        assert before.lags == gradient_flow(loaded, SOURCES, LABELS).lags


class TestModel:
    def test_fresh_weights_are_those_that_a_training_by_this_seed_begins_with(self) -> None:
        loaded = untrained_model()
        torch.manual_seed(7)
        begun = loaded.task.build_model()
        flow = gradient_flow(loaded, SOURCES, TARGETS, untrained=True, seed=7)
        expected = gradient_flow(replace(loaded, model=begun), SOURCES, TARGETS)
        assert flow.lags == expected.lags
        assert (flow.is_trained, expected.is_trained) == (False, True)
        by_recipe = gradient_flow(loaded, SOURCES, TARGETS, untrained=True)
        assert by_recipe == gradient_flow(
            loaded, SOURCES, TARGETS, untrained=True, seed=loaded.recipe.seed
        )

    def test_the_model_is_left_as_it_was(self) -> None:
        loaded = untrained_model()
        before = copy.deepcopy(loaded.model)
        gradient_flow(loaded, SOURCES, TARGETS)
        for name, parameter in loaded.model.named_parameters():
            assert torch.equal(parameter, before.get_parameter(name))
            assert parameter.dtype is torch.float32

    def test_no_hook_stays_behind_when_a_pass_fails(self) -> None:
        model = untrained_model().model
        batch = pair_batch([Example([4], [10**6])])
        with pytest.raises(IndexError):
            run(model, model.decoder.stack, batch, "decoder")
        hooks = [(one._forward_hooks, one._forward_pre_hooks) for one in model.modules()]
        assert not any(after or before for after, before in hooks)


class TestSentences:
    def test_the_first_pairs_that_have_two_sides_are_taken(self) -> None:
        loaded = untrained_model()
        flow = gradient_flow(
            loaded, ["", *SOURCES, "ein"], ["a", *TARGETS, "a"], sentences=2, name="mine"
        )
        assert flow == gradient_flow(loaded, SOURCES[:2], TARGETS[:2], name="mine")
        assert (flow.sentences, flow.model) == (2, "mine")

    def test_longer_pairs_than_in_training_are_left_out(self) -> None:
        loaded = untrained_model()
        data = msgspec.structs.replace(loaded.recipe.data, max_length=3)
        recipe = msgspec.structs.replace(loaded.recipe, data=data)
        short = replace(loaded, task=type(loaded.task)(recipe, loaded.task.tokenizers))
        assert gradient_flow(short, SOURCES, TARGETS).sentences == 3

    def test_text_of_which_nothing_is_left_is_an_error(self) -> None:
        with pytest.raises(DataError, match="none of the 2 pairs can be used") as caught:
            gradient_flow(untrained_model(), ["", "ein"], ["a", ""])
        assert caught.value.why
        assert caught.value.fix

    @pytest.mark.parametrize("wrong", [{"part": "bridge"}, {"sentences": 0}])
    def test_a_wrong_choice_is_an_error(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigError):
            gradient_flow(untrained_model(), SOURCES, TARGETS, **wrong)


class TestFactor:
    @pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
    def test_it_is_that_of_a_geometric_series_whatever_the_counts(self, factor: float) -> None:
        lags = [LagGradient(k, 3 * factor**k, count) for k, count in enumerate((9, 5, 1, 2))]
        assert factor_per_step(lags) == pytest.approx(factor)

    def test_it_is_the_weighted_fit_of_numpy(self) -> None:
        norms, counts = [0.3, 0.25, 0.02, 0.05], [40, 30, 9, 1]
        lags = [LagGradient(k, *each) for k, each in enumerate(zip(norms, counts, strict=True))]
        slope, _ = np.polyfit(range(4), np.log(norms), 1, w=np.sqrt(counts))
        assert factor_per_step(lags) == pytest.approx(math.exp(slope))

    def test_a_zero_is_left_out_and_less_than_two_norms_have_none(self) -> None:
        assert factor_per_step([LagGradient(0, 1, 1), LagGradient(1, 0, 1)]) is None
        with_zero = [LagGradient(0, 1, 1), LagGradient(1, 0, 1), LagGradient(2, 0.25, 1)]
        assert factor_per_step(with_zero) == pytest.approx(0.5)
