"""`seqcli inspect`: look inside a trained model."""

import typer

from seqcli.cli.inspect.attention import show_attention
from seqcli.cli.inspect.gates import show_gates
from seqcli.cli.inspect.gradients import show_gradients
from seqcli.cli.inspect.parameters import show_parameters
from seqcli.cli.inspect.phrases import show_derivation, show_phrases, show_weights

app = typer.Typer(
    no_args_is_help=True, help="Look inside a trained network or phrase-based system."
)
app.command("gates")(show_gates)
app.command("gradients")(show_gradients)
app.command("attention")(show_attention)
app.command("parameters")(show_parameters)
app.command("phrases")(show_phrases)
app.command("derivation")(show_derivation)
app.command("weights")(show_weights)
