"""A copy of a phrase-based system with the phrases of one text alone."""

import shutil
from pathlib import Path

import msgspec

from seqcli.api.phrase_system import PARTS, load_phrase_parts
from seqcli.api.whole_folder import written_whole
from seqcli.bundle import TRAINING, find_model, read_facts, write_facts
from seqcli.smt.corpus import encode_sentences
from seqcli.smt.phrase_files import PHRASES
from seqcli.smt.phrase_table import filter_table, save_phrase_table
from seqcli.text.lines import read_lines


def filter_phrases(
    model: str | Path, source: str | Path, output: str | Path, *, overwrite: bool = False
) -> int:
    """Write a system that translates the file `source` as `model` does, and is smaller.

    Other text it translates worse, as it lacks the phrases. Returns how many pairs of phrases were
    kept. Raises ModelError, DataError and OutputError.
    """
    folder, (_, system) = find_model(str(model)), load_phrase_parts(str(model))
    output = Path(output)
    words, vocabulary = system.source_words, system.model.source_vocabulary
    lines = (words.split(line) for line in read_lines(source) if line.strip())
    table = filter_table(system.model.table, encode_sentences(lines, vocabulary))
    facts = read_facts(folder)
    removed = sum(
        getattr(system.model.table, name).size - getattr(table, name).size
        for name in ("scores", "reordering")
    )
    with written_whole(
        output, overwrite=overwrite, inputs=(str(source), str(folder)), others=PARTS
    ) as fresh:
        for path in folder.iterdir():
            if path.name not in (PHRASES, TRAINING):
                copy = shutil.copytree if path.is_dir() else shutil.copyfile
                copy(path, fresh / path.name)
        (fresh / PHRASES).mkdir()
        save_phrase_table(table, fresh / PHRASES)
        smaller = msgspec.structs.replace(
            facts, name=output.resolve().name, parameters=facts.parameters - removed
        )
        write_facts(fresh, smaller)
    return len(table.scores)
