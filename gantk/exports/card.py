"""The model card: what a model is, what it was trained on, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence

from gantk.building.spec import bare_name
from gantk.errors import RunError
from gantk.evaluation.scores import Score, read_scores, scores_file
from gantk.model import Model
from gantk.report.evaluation import evaluation_text
from gantk.report.summary import summary
from gantk.run.folder import Run

__all__ = ["card"]


def card(model: Model, run: Run, step: int, how: Sequence[str]) -> str:
    """A README in Markdown, whose header the Hugging Face Hub reads.

    Args:
        model: the model.
        run: its run, whose scores are quoted with their protocols.
        step: the step of its weights.
        how: paragraphs on what lies beside it, and how to use it.
    """
    spec = model.built.spec
    title = spec.get("title") or f"A GAN of recipe {spec['preset']}"
    data = bare_name(spec["data"]) if "data" in spec else "data given from Python"
    channels, height, width = model.image_shape
    scores = _scores(run, step)
    return "\n".join(
        [
            "---",
            "library_name: gantk",
            "pipeline_tag: unconditional-image-generation",
            "tags: [gantk, gan]",
            "---",
            "",
            f"# {title}",
            "",
            f"Trained on {data} for {step:,} steps; it generates images of {channels}×{height}×{width} pixels"
            f"{', given a condition' if model.condition is not None else ''}.",
            "",
            *[line for paragraph in how for line in (paragraph, "")],
            "## Scores",
            "",
            *(
                ["```text", evaluation_text(scores, {}), "```"]
                if scores
                else ["It has not been evaluated (`gantk evaluate`)."]
            ),
            "",
            "## How it was built",
            "",
            "```text",
            summary(model),
            "```",
            "",
            "All settings are in `model.toml`.",
            "",
        ]
    )


def _scores(run: Run, step: int) -> list[Score]:
    """The scores of these weights."""
    try:
        scores = read_scores(scores_file(run.path))
    except RunError:
        return []
    return [score for score in scores if score.protocol.generated.step == step]
