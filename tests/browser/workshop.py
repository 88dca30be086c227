"""Notebooks of the tests' own: every widget, on texts that would do harm if they were taken for HTML; and a bare slider."""

import nbformat

# Each piece would set a mark on the page if it ran: the tests look for those marks.
HARM = (
    "<script>window.harmed = 'script'</script> <img src=x onerror=\"window.harmed = 'img'\"> "
    "<svg onload=\"window.harmed = 'svg'\"></svg> \"><b class='harm'>bold</b>"
)
CELLS = (
    f"harm = {HARM!r}",
    """
import numpy as np
import qa_helpers as qa
from qa_helpers.data import rows_to_dataset
from qa_helpers.classroom.widgets import Annotator, AskBox, LabelStepper, OffsetExplorer, SpanExplorer, WindowExplorer

context = f"The bridge was built in 1874. {harm} It was closed in 1921. " * 3
answers = {"text": [harm], "answer_start": [context.index(harm)]}
example = {"id": "harm", "title": harm, "context": context, "question": f"Who? {harm}", "answers": answers}
tokenizer = qa.load_tokenizer("mini-bert")
""",
    'OffsetExplorer(harm, {harm: "mini-bert"})',
    "WindowExplorer([example], tokenizer, max_length=300, stride=50)",
    "LabelStepper(example, tokenizer, max_length=300, stride=50)",
    """
features = qa.make_features(rows_to_dataset([example]), tokenizer, max_length=300, stride=50)
start_logits, end_logits = [], []
for (first, _), ids in zip(features["context_tokens"], features["input_ids"]):
    start_logits.append(np.zeros(len(ids)))
    end_logits.append(np.zeros(len(ids)))
    start_logits[-1][first + 7], end_logits[-1][first + 20] = 5.0, 5.0
SpanExplorer(example, features, start_logits, end_logits)
""",
    """
def answerer(question, context, top_k):
    start = context.index(harm)
    best = {"score": 0.9, "start": start, "end": start + len(harm), "answer": harm}
    return [best, best | {"score": 0.1}]

AskBox(answerer, question=f"Who? {harm}", document=context)
""",
    "Annotator({harm: context})",
)
PLAIN = """
import ipywidgets

slider, view = ipywidgets.IntSlider(50, description="plain"), ipywidgets.HTML("50")
slider.observe(lambda change: setattr(view, "value", str(change["new"])), "value")
plain = ipywidgets.VBox([slider, view])
plain.add_class("plain")
plain
"""


def widgets() -> nbformat.NotebookNode:
    """Every widget, with ``HARM`` in its texts."""
    return notebook(*CELLS)


def plain() -> nbformat.NotebookNode:
    """The plainest widget that asks the kernel: what the times of the others are compared with."""
    return notebook(PLAIN)


def troubled() -> nbformat.NotebookNode:
    """Everything that a lesson must not do: text on stderr, an error in the page's console, one in a cell."""
    script = "from IPython.display import Javascript\nJavascript('console.error(\"from a cell\")')"
    return notebook("import sys\nprint('careful', file=sys.stderr)", script, "1 / 0", "print('never reached')")


def notebook(*cells: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return made
