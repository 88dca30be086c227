"""Make the pictures of the README and of the lessons' page again: two widgets as the browser tests saw them, and one figure.

    make test-browser && python tools/readme_pictures.py

The widgets' pictures come from ``build/screenshots`` (``QA_SCREENSHOTS``), the figure from the executed tour.
"""

import base64
import json
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "notebooks" / "images"
WIDGETS = {"offsets.png": "qa-offset-explorer-light.png", "windows.png": "qa-window-explorer-light.png"}
FIGURES = {"spans.png": ("00_tour.ipynb", "plots.plot_span_logits(")}


def figure(notebook: str, call: str) -> bytes:
    """The PNG that the first cell with this call has put out."""
    cells = json.loads((ROOT / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
    cell = next(cell for cell in cells if cell["cell_type"] == "code" and call in "".join(cell["source"]))
    return base64.b64decode(next(o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o.get("data", {})))


if __name__ == "__main__":
    screenshots = Path(os.environ.get("QA_SCREENSHOTS") or ROOT / "build" / "screenshots")
    missing = [name for name in WIDGETS.values() if not (screenshots / name).is_file()]
    if missing:
        sys.exit(f"{', '.join(missing)} not in {screenshots}: run `make test-browser` first")
    IMAGES.mkdir(exist_ok=True)
    for name, kept in WIDGETS.items():
        shutil.copyfile(screenshots / kept, IMAGES / name)
    for name, source in FIGURES.items():
        (IMAGES / name).write_bytes(figure(*source))
    print("written:", *sorted(path.name for path in IMAGES.iterdir()))
