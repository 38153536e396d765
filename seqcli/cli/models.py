"""`seqcli models`: what is shipped."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqcli.cli.console import say

if TYPE_CHECKING:
    from seqcli.api.models import ShippedModel


def models(
    name: Annotated[str | None, typer.Argument(help="A model, to read its card.")] = None,
    output_format: Annotated[
        Literal["text", "json"], typer.Option("--format", help="For people or for programs.")
    ] = "text",
) -> None:
    """List the shipped models and recipes, or show the card of one."""
    from seqcli.api.models import model_card, shipped_model, shipped_models

    if output_format == "json":
        _print_json([shipped_model(name)] if name else shipped_models())
    elif name:
        typer.echo(model_card(name).rstrip("\n"))
    elif found := shipped_models():
        typer.echo("\n\n".join(_as_text(model) for model in found))
    else:
        say("no models came with this installation")


def _print_json(found: "list[ShippedModel]") -> None:
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))


def _as_text(model: "ShippedModel") -> str:
    from textwrap import fill

    lines = [f"{model.name}  (a recipe; see `seqcli models {model.name}`)"]
    if model.is_trained:
        size = f"{model.parameters / 1e6:.1f}M parameters, {model.size_bytes / 1e6:.1f} MB"
        lines = [f"{model.name}  {model.task}, {size}"]
    if model.description:
        lines.append(fill(model.description, 88, initial_indent="  ", subsequent_indent="  "))
    for score in model.scores:
        lines.append(f"  {score.name} {score.value:.2f} on {score.set}  {score.signature}".rstrip())
    return "\n".join(lines)
