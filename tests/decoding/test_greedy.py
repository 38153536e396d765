import pytest
import torch

from seqcli.data.batch import source_tensors
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.step import ModelStepper
from seqcli.nn.attention import ATTENTIONS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import EOS
from tests.decoding.steppers import forced_log_probabilities, random_sources, tiny_model


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("layers", [1, 2])
def test_each_token_is_the_most_probable_one_of_the_forward_pass(
    attention: str, stack: str, layers: int
) -> None:
    model = tiny_model(attention=attention, stack=stack, layers=layers, seed=layers)
    sources = random_sources(10)
    with torch.inference_mode():
        found = greedy_search(ModelStepper(model), *source_tensors(sources))
    for source, (candidate,) in zip(sources, found, strict=True):
        expected = [*candidate.tokens, EOS] if candidate.is_complete else candidate.tokens
        assert forced_log_probabilities(model, source, expected).argmax(1).tolist() == expected
