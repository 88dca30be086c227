"""What a student does at the desk: open a notebook, run it, move a slider, read; and what the tests look at."""

import io
from pathlib import Path
from statistics import median

from lab import Lab
from PIL import Image
from playwright.sync_api import Locator, Page, Route, TimeoutError

RUN_LIMIT = 600_000  # milliseconds for a whole notebook; generous, since it only guards against a kernel that hangs
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

_READY = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
_RUN = """async () => {
    window.finished = null;
    await jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
    jupyterapp.commands.execute('notebook:run-all-cells').finally(() => { window.finished = true; });
}"""
_CELLS = "() => jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells"
# The page's own clock, from the key that moves a slider to the first change of the view.
_WATCH = """([root, view]) => {
    window.answered = null;
    root.addEventListener('keydown', () => {
        const pressed = performance.now();
        const watch = new MutationObserver(() => { watch.disconnect(); window.answered = performance.now() - pressed; });
        watch.observe(view, {childList: true, subtree: true, characterData: true});
    }, {capture: true, once: true});
}"""


def beyond_the_lab(route: Route) -> None:
    """Nothing but the badge for Colab may be asked of anybody else; it is answered here, so no network is needed."""
    if route.request.url == BADGE:
        route.fulfill(status=200, content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')
    else:
        route.abort()  # which the page tells as an error


class Desk:
    """One notebook open in JupyterLab, and everything that the page complained about."""

    def __init__(self, page: Page, lab: Lab, notebook: str):
        self.page, self.complaints = page, []
        page.on(
            "console", lambda said: said.type == "error" and self.complaints.append(f"{said.text} ({said.location})")
        )
        page.on("pageerror", lambda error: self.complaints.append(f"not caught: {error}"))
        page.route(lambda url: not url.startswith(lab.url), beyond_the_lab)
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(f"{lab.url}/lab/tree/{notebook}?reset&token={lab.token}")
        page.wait_for_function(_READY)
        page.evaluate("() => jupyterapp.shell.collapseLeft()")

    def run_all(self) -> None:
        """All cells from the top, the saved outputs cleared away first."""
        self.page.evaluate(_RUN)
        try:
            self.page.wait_for_function("() => window.finished", timeout=RUN_LIMIT)
        except TimeoutError:
            cells = self.page.evaluate(_CELLS)
            waiting = [k for k, c in enumerate(cells) if c["cell_type"] == "code" and not c["execution_count"]]
            raise AssertionError(f"after {RUN_LIMIT / 1000:.0f} s, these cells have not run: {waiting}") from None

    def problems(self) -> list[str]:
        """What is wrong with the cells after a run: errors that no tag announces, text on stderr, cells left out."""
        found = []
        for number, cell in enumerate(self.page.evaluate(_CELLS)):
            if cell["cell_type"] != "code":
                continue
            if not cell["execution_count"]:
                found.append(f"cell {number} did not run")
            expected = "raises-exception" in cell["metadata"].get("tags", [])
            for output in cell["outputs"]:
                if output["output_type"] == "error" and not expected:
                    found.append(f"cell {number}: {output['ename']}: {output['evalue']}")
                if output.get("name") == "stderr":
                    found.append(f"cell {number}, stderr: {''.join(output['text'])[:300]}")
        for text in ("Error displaying widget", "Loading widget..."):
            if self.page.get_by_text(text).count():
                found.append(f"the page says {text!r}")
        return found

    def widget(self, css_class: str) -> "Widget":
        """The first widget of this class on the page, as soon as its view is there."""
        root = self.page.locator(f".jp-OutputArea .{css_class}").first
        root.locator(".widget-html-content").first.wait_for()
        return Widget(root, css_class)


class Widget:
    """A widget of the course on the page: controls by their labels, and the view."""

    def __init__(self, root: Locator, name: str):
        self.root, self.page, self.name = root, root.page, name
        self.view = root.locator(".widget-html-content").first

    def control(self, label: str) -> Locator:
        """The field, menu or tick box with this label."""
        return self.root.get_by_label(label, exact=True)

    def slider(self, label: str) -> Locator:
        """The handle of the slider with this label; the keyboard moves it."""
        return self.root.locator(".widget-hslider").filter(has_text=label).locator(".noUi-handle")

    def read(self) -> str:
        return self.view.inner_text()

    def marked(self) -> list[str]:
        """The pieces of text that are lit."""
        return self.view.locator("mark").all_inner_texts()

    def drawing(self) -> list[str]:
        """The rectangles of the figure: all that places them and gives them their size."""
        return self.view.locator("svg rect").evaluate_all("all => all.map(one => one.outerHTML)")

    def answer_time(self, label: str, moves: int = 20) -> float:
        """Median of milliseconds from a key on the slider to a changed view, there and back again."""
        handle, times = self.slider(label), []
        keys = ["ArrowRight", "ArrowLeft"]
        if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax"):
            keys.reverse()
        for k in range(moves + 2):
            self.page.evaluate(_WATCH, [self.root.element_handle(), self.view.element_handle()])
            handle.press(keys[k % 2])
            self.page.wait_for_function("() => window.answered !== null")
            times.append(self.page.evaluate("() => window.answered"))
        return median(times[2:])  # the first two warm up

    def keep_pictures(self, folder: Path) -> None:
        """Light, dark, and at 200 % (half the width); checks that dark is dark and that nothing is pushed out of sight."""
        desk_size = self.page.viewport_size
        for theme in ("dark", "light"):
            use_theme(self.page, theme)
            brightness = background(
                self.root.screenshot(path=folder / f"{self.name}-{theme}.png", animations="disabled")
            )
            assert brightness < 60 if theme == "dark" else brightness > 200, f"{theme}: background {brightness} of 255"
        self.page.set_viewport_size(desk_size | {"width": desk_size["width"] // 2})
        self.root.screenshot(path=folder / f"{self.name}-200-percent.png", animations="disabled")
        too_wide = self.root.evaluate("root => root.scrollWidth - root.clientWidth")
        self.page.set_viewport_size(desk_size)
        assert too_wide <= 1, f"{self.name} is {too_wide} pixels wider than its cell at 200 %"


def background(png: bytes) -> int:
    """The commonest brightness in a picture, 0 (black) to 255 (white)."""
    counts = Image.open(io.BytesIO(png)).convert("L").histogram()
    return max(range(256), key=counts.__getitem__)


def use_theme(page: Page, name: str) -> None:
    """``light`` or ``dark``, as the menu does it."""
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", THEMES[name])
    page.locator(f"body[data-jp-theme-name='{THEMES[name]}']").wait_for(state="attached")
