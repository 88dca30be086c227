"""The picture that a link to the site shows elsewhere: 1200 × 630 pixels, drawn by matplotlib."""

from pathlib import Path

ALT = "Extractive QA in notebooks: a text with its answer marked, and a start and an end bar for each of its tokens."
WORDS = ("The", "bridge", "is", "212", "metres", "long", ".", "It", "was", "opened", "in", "1893", ".")
STARTS = (0.3, 0.5, 0.4, 4.4, 0.9, 0.3, 0.2, 0.3, 0.3, 0.4, 0.6, 1.7, 0.2)
ENDS = (0.2, 0.3, 0.3, 1.0, 4.7, 0.9, 0.5, 0.2, 0.2, 0.3, 0.3, 1.9, 0.6)


def draw(path: Path, subtitle: str) -> None:
    """Write the picture. The bars are an invented example in the colours of the course."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from qa_helpers.figures.colours import ANSWER, END, START

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#ffffff")
    FigureCanvasAgg(figure)
    figure.text(0.06, 0.83, "Extractive QA in notebooks", fontsize=42, weight="bold", color="#1d2330")
    figure.text(0.06, 0.73, subtitle, fontsize=20, color="#414b5c")
    axes = figure.add_axes((0.06, 0.14, 0.88, 0.5))
    places = range(len(WORDS))
    axes.axvspan(2.5, 4.5, color=ANSWER, alpha=0.5, linewidth=0)
    axes.bar([place - 0.2 for place in places], STARTS, 0.36, color=START)
    axes.bar([place + 0.2 for place in places], ENDS, 0.36, color=END)
    axes.set_xticks(list(places), WORDS, fontsize=20, color="#1d2330")
    axes.set_yticks([])
    axes.tick_params(length=0, pad=10)
    axes.set_xlim(-0.7, len(WORDS) - 0.3)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Software": None})
