import pytest
import torch

from seqcli.data.batch import source_tensors
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.step import ModelStepper
from seqcli.nn.cells import CELLS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import EOS
from tests.decoding.steppers import forced_log_probabilities, random_sources, tiny_model


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("input_feeding", [False, True])
def test_each_token_is_the_most_probable_one_of_the_forward_pass(
    cell: str, stack: str, input_feeding: bool
) -> None:
    model = tiny_model(cell=cell, stack=stack, layers=2, input_feeding=input_feeding)
    sources = random_sources(10)
    with torch.inference_mode():
        found = greedy_search(ModelStepper(model), *source_tensors(sources))
    for source, (candidate,) in zip(sources, found, strict=True):
        expected = [*candidate.tokens, EOS] if candidate.is_complete else candidate.tokens
        assert forced_log_probabilities(model, source, expected).argmax(1).tolist() == expected
