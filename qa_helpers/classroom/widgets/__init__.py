"""Widgets: things to move and type into, one module each.

Every widget is a thin shell over a *pure function* that returns :class:`qa_helpers.classroom.render.Html`. The function is what is
tested, and what a notebook shows beside the widget for those who only read (GitHub and paper show no widgets). Text of
data and users is escaped, and a redraw is HTML and SVG only, so that a slider is answered at once.
"""

from .annotate import Annotator, annotation_view
from .ask_box import AskBox, answer_view
from .label_stepper import LabelStepper, label_steps
from .offset_explorer import OffsetExplorer, offset_view
from .span_explorer import SpanExplorer, span_view
from .window_explorer import WindowExplorer, window_view

__all__ = [
    "Annotator",
    "AskBox",
    "LabelStepper",
    "OffsetExplorer",
    "SpanExplorer",
    "WindowExplorer",
    "annotation_view",
    "answer_view",
    "label_steps",
    "offset_view",
    "span_view",
    "window_view",
]
