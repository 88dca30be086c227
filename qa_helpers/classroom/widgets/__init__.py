"""Widgets: controls to move and fields to type into, one module for each widget.

Every widget is a thin shell around a *pure function* that returns :class:`qa_helpers.classroom.render.Html`. The tests
call this function, and notebooks show its result next to the widget for those who only read (GitHub and paper show no
widgets). All text from data and users is escaped. A redraw produces HTML and SVG only, so that a slider responds at once.
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
