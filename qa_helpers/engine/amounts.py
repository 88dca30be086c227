"""How much each experiment of the lessons trains on, at each pace: the only place that decides it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Amount:
    """How much data and training one experiment uses.

    Attributes:
        train_rows, eval_rows: number of examples; None uses all, in their order.
        shuffled: whether they are drawn at random; if not, the first ones are used.
        epochs, max_steps, batch_size, evaluate_every, learning_rate: as in ``FineTuneConfig``.
        small_learning_rate: in place of ``learning_rate`` for the course's own small models.
        save_every: steps between checkpoints, if the course has a folder for runs.
    """

    train_rows: int | None = None
    eval_rows: int | None = None
    shuffled: bool = True
    epochs: float = 2.0
    max_steps: int | None = None
    batch_size: int = 16
    evaluate_every: int | str | None = None
    learning_rate: float = 3e-5
    small_learning_rate: float = 1e-3
    save_every: int | None = None

    def in_words(self, pace: str) -> str:
        """How long the training is, for a lesson to print."""
        rows = "all training examples" if self.train_rows is None else f"{self.train_rows:,} training examples"
        length = f"{self.max_steps:,} steps" if self.max_steps else f"{self.epochs:g} epochs"
        return f"a trial of {length}, too few to learn the task" if pace == "trial" else f"{length} on {rows}"


# The published recipe for SQuAD 1.1 (run_qa.py of the transformers repository): EM 81.2 / F1 88.5 with bert-base-uncased.
_RECIPE = Amount(epochs=2.0, batch_size=12, learning_rate=3e-5, evaluate_every="epoch", save_every=1000)
_TRIAL_STEPS = {"max_steps": 30, "batch_size": 8, "learning_rate": 1e-4}


#: experiment → pace → how much. "quick" is meant for one GPU like Colab's (T4): ten minutes for the tour, twenty for
#: a later lesson. "trial" only shows that everything runs.
AMOUNTS = {
    "tour": {
        "mini": Amount(epochs=1.25, evaluate_every=200, save_every=250),  # 585 steps
        "trial": Amount(240, 60, evaluate_every=15, save_every=15, **_TRIAL_STEPS),
        "quick": Amount(4_000, 1_000, epochs=2.0, evaluate_every=130, save_every=130),  # about 510 steps
        "full": _RECIPE,
    },
    "one_batch": {  # lesson 05: five windows from the first few hundred examples
        "mini": Amount(),
        "trial": Amount(learning_rate=1e-4),
        "quick": Amount(learning_rate=1e-4),
        "full": Amount(learning_rate=1e-4),
    },
    "fine_tuning": {  # lesson 06 trains four models like this, and eight more for a few steps
        "mini": Amount(2_400, 400, max_steps=100, evaluate_every=25),
        "trial": Amount(400, 40, max_steps=24, batch_size=4, evaluate_every=6),
        "quick": Amount(4_800, 500, max_steps=300, evaluate_every=75),
        "full": Amount(30_000, 2_000, max_steps=1_500, evaluate_every=375),
    },
    "evaluation": {  # lessons 08 and 10, if the checkpoint has no trained head
        "mini": Amount(None, 1_000, max_steps=300),
        "trial": Amount(240, 100, **_TRIAL_STEPS),
        "quick": Amount(9_600, 1_000, max_steps=600, learning_rate=5e-5, save_every=200),
        "full": _RECIPE,
    },
    "no_answer": {  # lesson 08, section 10: the same again, on data with unanswerable questions
        "mini": Amount(2_400, 600, max_steps=80, small_learning_rate=7e-4),
        "trial": Amount(240, 100, **_TRIAL_STEPS),
        "quick": Amount(9_600, 1_000, max_steps=600, learning_rate=5e-5, save_every=200),
        "full": _RECIPE,
    },
    "families": {  # lesson 09 trains two families like this
        "mini": Amount(1_600, 200, shuffled=False, max_steps=100),  # the corpus is shuffled
        "trial": Amount(96, 60, max_steps=6),
        "quick": Amount(2_400, 300, max_steps=150),
        "full": Amount(24_000, 2_000, max_steps=1_500),
    },
    "own_documents": {  # lesson 10: old examples to mix with the new ones, and to measure what is forgotten
        "mini": Amount(240, 200),
        "trial": Amount(48, 20),
        "quick": Amount(240, 200),
        "full": Amount(240, 200),
    },
}
