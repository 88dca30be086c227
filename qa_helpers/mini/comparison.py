"""Comparing the families: the same fine-tuning for each, seed by seed, and what is known about the real checkpoints.

``qa-helpers compare`` writes the file that lesson 09 reads, one run at a time, so an interrupted comparison continues
where it stopped.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.utils import get_session
from transformers import AutoConfig, AutoModel, AutoModelForQuestionAnswering, PreTrainedModel, TrainerCallback

from ..checkpoints import ASSETS, FAMILIES, Family, family_of, load_model, load_tokenizer, locate
from ..course import MINI_MAX_LENGTH, MINI_STRIDE
from ..data import load_squad, unknown_name
from ..engine.whole_files import write_whole
from ..training import FineTuneConfig, fine_tune

SHIPPED_SCORES = ASSETS / "family_scores.json"
#: Name in commands, such as "bert" → family.
BY_SHORT_NAME = {family.mini.removeprefix("mini-"): family for family in FAMILIES.values()}


@dataclass(frozen=True)
class Published:
    """Scores of one recipe on SQuAD's development sets, as somebody published them.

    Attributes:
        family: the family's name, as in ``FAMILIES``; checkpoint: what was fine-tuned.
        squad, squad_v2: (EM, F1) on SQuAD 1.1 and on 2.0; None where the source has none. A range is (lowest, highest) for
            each: ``((80.7, 81.8), (88.1, 88.8))``.
        recipe: how it was trained, as far as the source says.
        by: whose figures these are; links: where they are, by name.
    """

    family: str
    checkpoint: str
    squad: tuple | None
    squad_v2: tuple | None
    recipe: str
    by: str
    links: dict[str, str]


_DEBERTA_CARD = {"DeBERTa's model card": "https://huggingface.co/microsoft/deberta-base"}
_HUB = "https://huggingface.co"
# One row for each recipe, families in the course's order, their authors' figures first. Every source was read.
PUBLISHED = (
    Published(
        "BERT",
        "bert-base-uncased",
        (81.2, 88.5),
        None,
        recipe="2 epochs, learning rate 3e-5, batches of 12",
        by="transformers",
        links={
            "its example script": "https://github.com/huggingface/transformers/blob/main/examples/pytorch/question-answering/README.md"
        },
    ),
    Published(
        "BERT",
        "bert-base-uncased",
        ((80.7, 81.8), (88.1, 88.8)),
        None,
        recipe="2 or 3 epochs, three runs",
        by="three users",
        links={
            "1": f"{_HUB}/jimypbr/bert-base-uncased-squad",
            "2": f"{_HUB}/Graphcore/bert-base-uncased-squad",
            "3": f"{_HUB}/vuiseng9/bert-base-uncased-squad",
        },
    ),
    Published(
        "BERT",
        "bert-base-cased",
        (81.2, 88.7),
        None,
        recipe="3 epochs, learning rate 2e-5",
        by="Hugging Face",
        links={"its course": "https://huggingface.co/learn/llm-course/chapter7/7"},
    ),
    Published(
        "DistilBERT",
        "DistilBERT",
        (77.7, 85.8),
        None,
        recipe="fine-tuned on the labels alone",
        by="its authors",
        links={"paper, table 2": "https://arxiv.org/abs/1910.01108"},
    ),
    Published(
        "DistilBERT",
        "DistilBERT",
        (79.1, 86.9),
        None,
        recipe="fine-tuned with a BERT as a second teacher",
        by="its authors",
        links={"paper, table 2": "https://arxiv.org/abs/1910.01108"},
    ),
    Published(
        "RoBERTa",
        "roberta-base",
        (84.6, 91.5),
        (80.5, 83.7),
        recipe="not said",
        by="DeBERTa's authors",
        links=_DEBERTA_CARD,
    ),
    Published(
        "ALBERT",
        "albert-base-v2",
        (83.2, 90.2),
        (79.3, 82.1),
        recipe="that of the paper",
        by="its authors",
        links={"repository": "https://github.com/google-research/albert"},
    ),
    Published(
        "DeBERTa",
        "deberta-base (version 1)",
        (87.2, 93.1),
        (83.1, 86.2),
        recipe="that of the paper",
        by="its authors",
        links=_DEBERTA_CARD,
    ),
    Published(
        "DeBERTa",
        "deberta-v3-base",
        (88.4, 93.9),
        (85.4, 88.4),
        recipe="not said; today's card lists 2.0 only",
        by="its authors",
        links={
            "the card's earlier revision": f"{_HUB}/microsoft/deberta-v3-base/blob/5f32929a4206c500f4044bf7778298aedc77531a/README.md"
        },
    ),
    Published(
        "ModernBERT",
        "ModernBERT-base",
        None,
        (81.3, 84.5),
        recipe="one run; its authors report none on SQuAD",
        by="a user",
        links={"model card": f"{_HUB}/kiddothe2b/ModernBERT-base-squad2"},
    ),
)


def published_table() -> str:
    """:data:`PUBLISHED` as a table in Markdown, with a link in every row."""

    def number(value) -> str:
        return " to ".join(f"{v:.1f}" for v in value) if isinstance(value, tuple) else f"{value:.1f}"

    def pair(scores) -> str:
        return " / ".join(number(value) for value in scores) if scores else "–"

    lines = [
        "| family | checkpoint | SQuAD 1.1, EM / F1 | SQuAD 2.0, EM / F1 | recipe | reported by |",
        "|---|---|---|---|---|---|",
    ]
    for row in PUBLISHED:
        links = ", ".join(f"[{name}]({url})" for name, url in row.links.items())
        cells = (row.family, row.checkpoint, pair(row.squad), pair(row.squad_v2), row.recipe, f"{row.by}: {links}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


# The real checkpoints' configurations, where they differ from the library's defaults of their class.
_BASE_SIZE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_REAL_CONFIGS = {
    "bert": {**_BASE_SIZE, "vocab_size": 28996},
    "distilbert": {"dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "vocab_size": 28996},
    "roberta": {**_BASE_SIZE, "vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
    "albert": {**_BASE_SIZE, "vocab_size": 30000, "embedding_size": 128},
    "deberta-v2": {
        **_BASE_SIZE,
        "vocab_size": 128100,
        "type_vocab_size": 0,
        "relative_attention": True,
        "position_buckets": 256,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
    },
    "modernbert": {
        **_BASE_SIZE,
        "num_hidden_layers": 22,
        "intermediate_size": 1152,  # of the gated layer, so two matrices of this width
        "vocab_size": 50368,
        "max_position_embeddings": 8192,
        "local_attention": 128,
        "global_attn_every_n_layers": 3,
    },
}


@dataclass(frozen=True)
class CompareSettings:
    """What all runs of a comparison have in common.

    Attributes:
        source: examples, as in :func:`qa_helpers.load_squad`; ``limit``: use only this many of each split (None: all).
        steps: optimizer steps of ``batch_size`` windows; ``learning_rate``: its peak.
        max_length, stride: tokens per window, and tokens that neighbouring windows share.
    """

    source: str = "mini"
    steps: int = 500
    batch_size: int = 16
    learning_rate: float = 1e-3
    max_length: int = MINI_MAX_LENGTH
    stride: int = MINI_STRIDE
    limit: int | None = None


def compare_families(
    output_file: str | Path,
    families: Iterable[str] | None = None,
    seeds: int = 5,
    settings: CompareSettings | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[dict]:
    """Fine-tune the small encoders of several families with several seeds, and keep their scores.

    Every run computes on one thread, and processor time is measured, so that other work on the machine does not change
    the scores and hardly changes the times. Two commands with different ``families`` may fill one file at the same
    time.

    Args:
        output_file: JSON, rewritten after every run. Runs that are already in it are not repeated.
        families: some of ``"bert"``, ``"distilbert"``, ``"roberta"``, ``"albert"``, ``"deberta"``, ``"modernbert"``; None
            takes all six.
        seeds: runs per family, with seeds 0, 1, … for the new head's weights and the order of the windows.
        settings: see :class:`CompareSettings`.
        report: called with a line about each run when it is done.

    Returns:
        All runs in the file: dicts with ``family``, ``seed``, ``exact_match`` and ``f1`` (0..100, on the whole
        validation split), ``seconds`` (processor time of training; on a GPU, wall-clock time), ``threads`` (that
        PyTorch used).

    Raises:
        ValueError: an unknown family, or a file that contains runs with other settings or other encoders.
    """
    settings = settings or CompareSettings()
    if seeds < 1:
        raise ValueError(f"seeds is the number of runs per family and must be at least 1, got {seeds}")
    chosen = [_family(name) for name in families] if families else list(FAMILIES.values())
    output_file = Path(output_file)
    encoders = {family.name: encoder_fingerprint(family.mini) for family in chosen}
    record = _read(output_file, settings, encoders)
    done = {(run["family"], run["seed"]) for run in record["runs"]}
    data = load_squad(settings.source)
    if settings.limit:
        data = {split: rows.select(range(min(settings.limit, len(rows)))) for split, rows in data.items()}
    for seed in range(seeds):  # seed by seed, so that an interrupted comparison treats all families alike
        for family in chosen:
            if (family.name, seed) not in done:
                run = _run(family, seed, settings, data)
                record = _read(output_file, settings, encoders)  # again: another command may have added to it
                record["encoders"] |= {family.name: encoders[family.name]}
                record["runs"].append(run)
                write_whole(output_file, json.dumps(record, indent=1) + "\n")
                scores = f"EM {run['exact_match']:.1f} / F1 {run['f1']:.1f}"
                report(f"{family.name}, seed {seed}: {scores}, {run['seconds']:.0f} s of training")
    return record["runs"]


def family_scores(path: str | Path = SHIPPED_SCORES) -> tuple[pd.DataFrame, CompareSettings]:
    """Read what :func:`compare_families` wrote; by default the file that is shipped.

    Returns:
        (runs, settings): a row per run, families in the course's order, with the columns of its dicts.

    Raises:
        ValueError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path.name} does not exist; make it with: qa-helpers compare --output-file {path.name}")
    record = json.loads(path.read_text(encoding="utf-8"))
    order = {family.name: place for place, family in enumerate(FAMILIES.values())}
    runs = pd.DataFrame(record["runs"])
    runs = runs.sort_values(
        ["family", "seed"], key=lambda column: column.map(order) if column.name == "family" else column
    )
    return runs.reset_index(drop=True), CompareSettings(**record["settings"])


def t_factor(degrees: float, confidence: float = 0.95) -> float:
    """How many standard errors an interval reaches to each side, by Student's t distribution.

    With t = √degrees · tan(angle), the density of the angle is cos(angle) to the power degrees − 1; so one sum gives it.

    Args:
        degrees: degrees of freedom, at least 1. The fewer there are, the larger the factor; with many it is 1.96.
    """
    if degrees < 1 or not 0 < confidence < 1:
        raise ValueError(f"degrees must be at least 1 and 0 < confidence < 1, got {degrees} and {confidence}")
    angles = np.linspace(0, np.pi / 2, 10_001)
    density = np.cos(angles) ** (degrees - 1)
    within = np.append(0.0, np.cumsum(density[1:] + density[:-1]))
    return float(np.sqrt(degrees) * np.tan(np.interp(confidence, within / within[-1], angles)))


def difference_of_means(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95
) -> tuple[float, float, float]:
    """The mean of ``first`` minus the mean of ``second``, with its interval (Welch 1947).

    Args:
        first, second: the scores of two systems' runs, one for each seed. There need not be as many of one as of the
            other, nor need they vary alike.

    Returns:
        (difference, low, high).

    Raises:
        ValueError: fewer than two runs of one, which say nothing about how runs vary.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"two runs of each are needed to see how runs vary, got {len(first)} and {len(second)}")
    difference = float(np.mean(first) - np.mean(second))
    a, b = (float(np.var(runs, ddof=1)) / len(runs) for runs in (first, second))  # variances of the two means
    if a + b == 0:
        return difference, difference, difference
    degrees = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    half = t_factor(degrees, confidence) * (a + b) ** 0.5
    return difference, difference - half, difference + half


def known_scores(course) -> str:
    """A sentence on the scores that a course's checkpoint is known to reach: measured ones for the course's small encoders
    on the embedded corpus, published ones for real encoders on SQuAD 1.1.

    Raises:
        ValueError: the checkpoint cannot be loaded.
    """
    family = family_of(course.checkpoint)
    if family is None:
        return "The course has no figures for an encoder of this kind."
    if course.is_mini:
        runs, settings = family_scores()
        own = runs[runs["family"] == family.name]
        spans = [
            f"{name} {own[key].min():.0f} to {own[key].max():.0f}"
            for name, key in (("EM", "exact_match"), ("F1", "f1"))
        ]
        return f"Measured: {spans[0]}, {spans[1]} for {family.mini}, {len(own)} seeds, {settings.steps} steps on all training examples."
    known = published_for(course.checkpoint) or published_for(family.hub)
    if known is None:
        return f"The course knows of no published score of {Path(family.hub).name} on SQuAD 1.1."
    exact, f1 = known.squad
    return f"Published: EM {exact}, F1 {f1} for {known.checkpoint} on SQuAD 1.1, trained on all 87,599 examples."


def published_for(checkpoint: str | Path) -> Published | None:
    """The first row of :data:`PUBLISHED` with a checkpoint's own score on SQuAD 1.1; None if there is none."""
    name = {"distilbert-base-cased": "DistilBERT"}.get(Path(checkpoint).name, Path(checkpoint).name)
    rows = (row for row in PUBLISHED if row.checkpoint == name and row.squad and row.by != "three users")
    return next(rows, None)


def hub_answers(seconds: float = 5.0) -> bool:
    """Whether the Hugging Face hub can be reached: one request with a time limit. The libraries alone would retry for
    minutes, for each file."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        return get_session().head(constants.ENDPOINT, timeout=seconds).status_code < 500
    except Exception:  # which errors depends on the library below: no name found, refused, too slow, a proxy's answer
        return False


def choose_checkpoints(course) -> tuple[dict[str, str], list[str]]:
    """A checkpoint of every family for a course.

    With an embedded source these are the small encoders. Otherwise the course's own checkpoint represents its family,
    and the other families use theirs from the hub; if one cannot be loaded, its small encoder takes its place.

    Args:
        course: what :func:`qa_helpers.setup` returned.

    Returns:
        (family's name → checkpoint, names of the families that use their small encoder instead).

    Raises:
        ValueError: the course's checkpoint cannot be loaded.
    """
    if course.is_mini:
        return {family.name: family.mini for family in FAMILIES.values()}, []
    own, reachable = family_of(course.checkpoint), hub_answers()
    course.load_tokenizer()
    checkpoints = {family.name: family.hub for family in FAMILIES.values() if _is_loadable(family.hub, reachable)}
    if own:
        checkpoints[own.name] = course.checkpoint
    replaced = [family.name for family in FAMILIES.values() if family.name not in checkpoints]
    return {family.name: checkpoints.get(family.name, family.mini) for family in FAMILIES.values()}, replaced


def _is_loadable(checkpoint: str, hub_is_reachable: bool) -> bool:
    if not hub_is_reachable and not isinstance(try_to_load_from_cache(checkpoint, "model.safetensors"), str):
        return False
    try:
        load_tokenizer(checkpoint)
    except ValueError:
        return False
    return True


def real_sized(family: str, head: bool = False) -> PreTrainedModel:
    """The architecture of a family's real checkpoint, with shapes but without weights (on PyTorch's "meta" device).

    Args:
        family: its name, as in ``FAMILIES``: "BERT", "DistilBERT", "RoBERTa", "ALBERT", "DeBERTa" or "ModernBERT".
        head: with a question answering head, in training mode.
    """
    model_type = next(key for key, value in FAMILIES.items() if value.name == family)
    config = AutoConfig.for_model(model_type, **_REAL_CONFIGS[model_type])
    with torch.device("meta"):
        return AutoModelForQuestionAnswering.from_config(config).train() if head else AutoModel.from_config(config)


class _Stopwatch(TrainerCallback):
    """Measures the seconds from the first step to the last: processor time, or wall-clock time on a GPU."""

    def __init__(self):
        self.now = time.perf_counter if torch.cuda.is_available() else time.process_time
        self.seconds = 0.0

    def on_train_begin(self, args, state, control, **_):
        self.begun = self.now()

    def on_train_end(self, args, state, control, **_):
        self.seconds = self.now() - self.begun


def recorded_config(settings, seed: int, **changes) -> FineTuneConfig:
    """How the recorded runs of lessons 09, 11 and 12 train a small encoder.

    Args:
        settings: of the runs, such as :class:`CompareSettings`: steps, batch size, learning rate and windows.
        changes: further settings of :class:`qa_helpers.FineTuneConfig`.
    """
    return FineTuneConfig(
        max_steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_length=settings.max_length,
        stride=settings.stride,
        seed=seed,
        align_to_words=True,  # small vocabularies split names that they have not seen
        **changes,
    )


def _run(family: Family, seed: int, settings: CompareSettings, data) -> dict:
    tokenizer, model = load_tokenizer(family.mini), load_model(family.mini, seed=seed)
    config = recorded_config(settings, seed)
    watch, usual = _Stopwatch(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = fine_tune(model, tokenizer, data["train"], data["validation"], config, [watch])
    finally:
        torch.set_num_threads(usual)
    return {
        "family": family.name,
        "seed": seed,
        "exact_match": round(result.scores.exact_match, 2),
        "f1": round(result.scores.f1, 2),
        "seconds": round(watch.seconds, 1),
        "threads": 1,
    }


def _family(name: str) -> Family:
    if name.lower() not in BY_SHORT_NAME:
        raise ValueError(unknown_name("family", name, BY_SHORT_NAME, "all"))
    return BY_SHORT_NAME[name.lower()]


def encoder_fingerprint(checkpoint: str) -> str:
    """Tells whether a shipped encoder's weights are those that runs were recorded with."""
    weights = Path(locate(checkpoint)) / "model.safetensors"
    return hashlib.blake2b(weights.read_bytes(), digest_size=8).hexdigest()


def _read(path: Path, settings: CompareSettings, encoders: dict[str, str]) -> dict:
    """The file so far, or an empty record; it must have the same settings and encoders."""
    if not path.is_file():
        return {"settings": asdict(settings), "encoders": {}, "runs": []}
    record = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(name for name, value in asdict(settings).items() if record["settings"].get(name) != value)
    changed += sorted(name for name, value in encoders.items() if record["encoders"].get(name, value) != value)
    if changed:
        raise ValueError(
            f"{path.name} holds runs that differ in {', '.join(changed)}: remove it to start over, or name another file"
        )
    return record
