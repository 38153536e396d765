"""Code on disk is of what the sources are now."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import seqcli
from seqcli.nn.compiled.compiler import compiler
from tests.test_house import imported_modules

ROOT = Path(seqcli.__file__).parent.parent


def test_all_that_code_is_made_of_belongs_to_its_sources() -> None:
    """Else code would be run that was made of an earlier state of it."""
    names = {
        module.rpartition(".")[0]
        for path in (ROOT / "seqcli" / "nn" / "compiled").glob("*.py")
        for module, _ in imported_modules(ast.parse(path.read_text()), path.relative_to(ROOT))
        if module.startswith("seqcli.")
    }
    files = {ROOT / f"{name.replace('.', '/')}.py" for name in names} - {ROOT / "seqcli/nn.py"}
    assert len(files) > 3
    assert files <= set(compiler.sources)


SCRIPT = """
import torch
from seqcli.nn.compiled.cross_entropy import differentiate
from seqcli.nn.lstm_sequence import lstm_sequence

torch.manual_seed(1)
products, bias, targets = torch.randn(400, 99), torch.randn(99), torch.randint(0, 99, (400,))
sums = [*differentiate(products, bias, targets, -0.9), products]
weights = [torch.randn(80, 20), torch.randn(80, 20), torch.randn(80)]
given = [torch.randn(800, 20), torch.zeros(400, 20), torch.zeros(400, 20), *weights]
given = [leaf.requires_grad_() for leaf in given]
states = lstm_sequence(given[0], tuple(given[1:3]), tuple(given[3:]), [400, 400])
sum(part.square().sum() for part in states).backward()
sums += [*states, *(leaf.grad for leaf in given)]
print([part.double().sum().item().hex() for part in sums])
"""


def test_code_just_compiled_gives_the_same_to_the_last_bit_as_that_from_the_disk(
    tmp_path: Path,
) -> None:
    """Else a training would not be the same again, nor one that goes on after a stop."""
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        )
        outputs.append(done.stdout)
        assert list(tmp_path.rglob("*.nbc"))
    assert outputs[0] == outputs[1]
