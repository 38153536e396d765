"""Train, compare and ship small sequence models from the command line, or from Python.

The names below are the public ones. Each is imported when it is first asked for, since torch alone
takes seconds: `import seqcli` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqcli.api.check import CleanedText, TextReport, check_files, check_text, clean_files
    from seqcli.api.compare import ComparedSystem, Comparison, compare_systems
    from seqcli.api.curves import TrainingCurves, training_curves
    from seqcli.api.evaluate import Evaluation, evaluate_files, evaluate_model, score_lines
    from seqcli.api.filter_phrases import filter_phrases
    from seqcli.api.generate import continue_lines, generate_lines, load_generator
    from seqcli.api.label import load_classifier, load_tagger
    from seqcli.api.score import load_scorer, score_text
    from seqcli.api.seeds import ScoreOfSeeds
    from seqcli.api.statistical_recipes import resolve_statistical_recipe
    from seqcli.api.systems import load_system
    from seqcli.api.tokenize import load_tokenizer, train_tokenizer
    from seqcli.api.train import dry_run, train
    from seqcli.api.train_dictionary import train_dictionary
    from seqcli.api.train_seeds import train_seeds
    from seqcli.api.train_statistical import train_statistical, train_statistical_seeds
    from seqcli.api.translate import load_translator, translate_lines
    from seqcli.errors import SeqcliError
    from seqcli.evaluation import LengthBucket, Score
    from seqcli.experiment import Recipe, resolve_recipe
    from seqcli.tokenizers import Tokenizer, TokenizerConfig
    from seqcli.translator import Hypothesis, Translation, Translator

    __version__: str

__all__ = [
    "CleanedText",
    "ComparedSystem",
    "Comparison",
    "Evaluation",
    "Hypothesis",
    "LengthBucket",
    "Recipe",
    "Score",
    "ScoreOfSeeds",
    "SeqcliError",
    "TextReport",
    "Tokenizer",
    "TokenizerConfig",
    "TrainingCurves",
    "Translation",
    "Translator",
    "__version__",
    "check_files",
    "check_text",
    "clean_files",
    "compare_systems",
    "continue_lines",
    "dry_run",
    "evaluate_files",
    "evaluate_model",
    "filter_phrases",
    "generate_lines",
    "load_classifier",
    "load_generator",
    "load_scorer",
    "load_system",
    "load_tagger",
    "load_tokenizer",
    "load_translator",
    "resolve_recipe",
    "resolve_statistical_recipe",
    "score_lines",
    "score_text",
    "train",
    "train_dictionary",
    "train_seeds",
    "train_statistical",
    "train_statistical_seeds",
    "train_tokenizer",
    "training_curves",
    "translate_lines",
]

_MODULES = {
    "seqcli.api.check": (
        "CleanedText",
        "TextReport",
        "check_files",
        "check_text",
        "clean_files",
    ),
    "seqcli.api.compare": ("ComparedSystem", "Comparison", "compare_systems"),
    "seqcli.api.curves": ("TrainingCurves", "training_curves"),
    "seqcli.api.evaluate": ("Evaluation", "evaluate_files", "evaluate_model", "score_lines"),
    "seqcli.api.filter_phrases": ("filter_phrases",),
    "seqcli.api.generate": ("continue_lines", "generate_lines", "load_generator"),
    "seqcli.api.label": ("load_classifier", "load_tagger"),
    "seqcli.api.score": ("load_scorer", "score_text"),
    "seqcli.api.seeds": ("ScoreOfSeeds",),
    "seqcli.api.statistical_recipes": ("resolve_statistical_recipe",),
    "seqcli.api.systems": ("load_system",),
    "seqcli.api.tokenize": ("load_tokenizer", "train_tokenizer"),
    "seqcli.api.train": ("dry_run", "train"),
    "seqcli.api.train_dictionary": ("train_dictionary",),
    "seqcli.api.train_statistical": ("train_statistical", "train_statistical_seeds"),
    "seqcli.api.train_seeds": ("train_seeds",),
    "seqcli.api.translate": ("load_translator", "translate_lines"),
    "seqcli.errors": ("SeqcliError",),
    "seqcli.evaluation": ("LengthBucket", "Score"),
    "seqcli.experiment": ("Recipe", "resolve_recipe"),
    "seqcli.tokenizers": ("Tokenizer", "TokenizerConfig"),
    "seqcli.translator": ("Hypothesis", "Translation", "Translator"),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("seqcli")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
