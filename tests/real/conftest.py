"""Sources and encoders like the real ones, for the lessons to be walked on."""

import pytest
import real_shaped

SMALL = {"train": 300, "validation": 80}


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> dict[str, str]:
    """Name → folder: a small cut, the same with unanswerable questions, and all that is at hand."""
    folder, real = tmp_path_factory.mktemp("sources"), real_shaped.real_files()
    everything = real_shaped.read(real / "squad") if real else real_shaped.generated()
    small = {split: real_shaped.cut(content, SMALL[split]) for split, content in everything.items()}
    return {
        "small": real_shaped.write(folder / "small", small),
        "small 2.0": real_shaped.write(
            folder / "small_v2", {split: real_shaped.with_unanswerable(content) for split, content in small.items()}
        ),
        "whole": real_shaped.write(folder / "whole", everything),
    }


@pytest.fixture(scope="session")
def random_bert(tmp_path_factory) -> str:
    """Two layers of random weights and the vocabulary of ``bert-base-cased`` (or of the course's small BERT)."""
    from qa_helpers.checkpoints import ASSETS

    real = real_shaped.real_files()
    vocabulary = real / "bert-base-cased" if real else ASSETS / "mini-bert"
    return real_shaped.save_encoder(tmp_path_factory.mktemp("encoder") / "random-bert", vocabulary)


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Few steps, no bars, and one thread for each kernel: two notebooks run side by side."""
    for name, value in {"QA_SIZE": "trial", "QA_BARS": "off", "QA_PROGRESS": "off", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("QA_FOLDER", "QA_SOURCE", "QA_CHECKPOINT"):
        monkeypatch.delenv(name, raising=False)
