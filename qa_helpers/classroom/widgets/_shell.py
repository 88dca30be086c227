"""The shell that all widgets share: a row of controls above a view, which also shows what goes wrong."""

import ipywidgets

from ..render import Html
from ._html import message

WIDE = {"description_width": "initial"}  # labels are never cut off


def layout(width: str = "auto", **options) -> ipywidgets.Layout:
    """The layout of a control in the row: never wider than the page, with some space around it."""
    return ipywidgets.Layout(width=width, max_width="100%", margin="2px 16px 2px 2px", **options)


class Shell(ipywidgets.VBox):
    """Controls above a ``view``.

    Subclasses create their controls, call ``super().__init__(*controls)`` and define ``draw``. ``css_class`` is the class
    of the root element. A ``live`` view is redrawn whenever the value of a control changes, others when ``redraw`` is
    called.
    """

    css_class = ""

    def __init__(self, *controls: ipywidgets.Widget, live: bool = True):
        self.view = ipywidgets.HTML(layout=ipywidgets.Layout(min_width="0", max_width="100%", margin="2px 0"))
        row = ipywidgets.Box(controls, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center"))
        super().__init__([row, self.view], layout=ipywidgets.Layout(width="100%"))
        self.add_class(self.css_class)
        if live:
            for control in controls:
                if isinstance(control, ipywidgets.ValueWidget):
                    control.observe(self.redraw, "value")
            self.redraw()

    def draw(self) -> Html:
        """What the view shows for the current values of the controls."""
        raise NotImplementedError

    def redraw(self, _change=None) -> None:
        """Draw the view again; a problem becomes a message in it."""
        self.show(self.draw)

    def show(self, drawing) -> None:
        """Show what ``drawing()`` returns, or the exception it raises: in a callback, it would vanish into a log."""
        try:
            shown = drawing()
        except ValueError as error:
            shown = message(str(error))
        except Exception as error:
            shown = message(f"{type(error).__name__}: {error}")
        self.view.value = shown.html

    def __repr__(self) -> str:
        return f"{type(self).__name__}: a widget, which works where this notebook runs; below is what it shows."
