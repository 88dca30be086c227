"""All exercises of the course, in order. Unlike the modules of the checkers, this list does not load torch."""

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Exercise:
    """One exercise: ``number`` ("3.2"), ``title``, ``level`` (1 to 3 ●), the function to write, and its checker."""

    number: str
    title: str
    level: int
    answer: str
    checker: str

    @property
    def lesson(self) -> int:
        """The lesson's number."""
        return int(self.number.split(".")[0])

    @property
    def module(self) -> str:
        """The module of the checker, in ``qa_helpers.classroom.exercises``."""
        return f"lesson{self.lesson:02d}"

    def check(self, *answers):
        """Run the checker on the answers, and return its :class:`~qa_helpers.classroom.exercises.Feedback`."""
        return getattr(import_module(f"{__package__}.{self.module}"), self.checker)(*answers)


LESSONS = {
    0: "The tour",
    1: "The data",
    2: "Tokenizer and offsets",
    3: "Stride windows",
    4: "Labels",
    5: "Model internals",
    6: "Fine-tuning",
    7: "On a GPU",
    8: "Evaluation",
    9: "BERT and friends",
    10: "Your own documents",
    11: "What did it learn?",
    12: "Put it to work",
}

EXERCISES = (
    Exercise("0.1", "A span that runs forwards", 1, "best_span", "check_best_span"),
    Exercise("0.2", "The best comparison counts", 2, "exact_match_percent", "check_exact_match_percent"),
    Exercise("1.1", "Do the answers fit?", 1, "answers_fit", "check_answers_fit"),
    Exercise("1.2", "All occurrences", 2, "occurrences", "check_occurrences"),
    Exercise("1.3", "Repair a misplaced answer", 3, "repair", "check_repair"),
    Exercise("2.1", "The text of some tokens", 1, "text_of_tokens", "check_text_of_tokens"),
    Exercise("2.2", "Where the context is", 2, "context_tokens", "check_context_tokens"),
    Exercise("2.3", "Your own char_to_token", 3, "token_at", "check_token_at"),
    Exercise("3.1", "Whose windows?", 1, "windows_of", "check_windows_of"),
    Exercise("3.2", "The edges", 2, "window_edges", "check_window_edges"),
    Exercise("3.3", "The best seat", 3, "most_context", "check_most_context"),
    Exercise("4.1", "Reading back", 1, "text_of_label", "check_text_of_label"),
    Exercise("4.2", "Several answers", 2, "label_all", "check_label_all"),
    Exercise("4.3", "The auditor", 3, "audit", "check_audit"),
    Exercise("5.1", "Start and end in one tensor", 1, "separate", "check_separate"),
    Exercise("5.2", "Attention with padding", 1, "attention_weights", "check_attention_weights"),
    Exercise("5.3", "The gradient, without autograd", 2, "gradient_of_span_loss", "check_gradient_of_span_loss"),
    Exercise("5.4", "Counting parameters", 2, "count_parameters", "check_count_parameters"),
    Exercise("6.1", "How many steps?", 1, "optimizer_steps", "check_optimizer_steps"),
    Exercise("6.2", "Another schedule", 2, "learning_rate", "check_cosine_schedule"),
    Exercise("6.3", "The share of padding", 2, "padding_share", "check_padding_share"),
    Exercise("7.1", "A scale that adapts", 1, "update", "check_update"),
    Exercise("7.2", "Does it fit?", 2, "largest_batch", "check_largest_batch"),
    Exercise("7.3", "Small batches of unequal size", 3, "accumulate", "check_accumulate"),
    Exercise("8.1", "F1 of places", 1, "f1_of_places", "check_f1_of_places"),
    Exercise("8.2", "One pass", 2, "best_span_in_one_pass", "check_best_span_in_one_pass"),
    Exercise("8.3", "Sure enough", 3, "sure_enough", "check_sure_enough"),
    Exercise("9.1", "Counting once", 1, "count_once", "check_count_once"),
    Exercise("9.2", "The interval of a difference", 2, "difference_interval", "check_difference_interval"),
    Exercise("9.3", "The row of a distance", 3, "distance_rows", "check_distance_rows"),
    Exercise("10.1", "The passage around an answer", 1, "passage_of", "check_passage_of"),
    Exercise("10.2", "A split by documents", 2, "split_by_document", "check_split_by_document"),
    Exercise("10.3", "A quotation that is nearly exact", 3, "places_of", "check_places_of"),
    Exercise("11.1", "Right every time", 1, "right_every_time", "check_right_every_time"),
    Exercise("11.2", "A sentence in front", 2, "put_in_front", "check_put_in_front"),
    Exercise("11.3", "What is left of the question", 3, "what_is_left", "check_what_is_left"),
    Exercise("12.1", "Find what quantization broke", 2, "worst_matrix", "check_worst_matrix"),
    Exercise("12.2", "Choose the batch size", 1, "choose_batch", "check_choose_batch"),
    Exercise("12.3", "The limits of a model", 3, "limits", "check_limits"),
)
