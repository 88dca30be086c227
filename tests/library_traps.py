"""The traps in today's libraries that the course teaches or avoids: which test shows each, and what is to be mended.

A test of ``test_library_traps.py`` fails with one line where a library has changed: library and version, what changed,
and the lessons and files that tell of the trap or work round it.
"""

import functools
import importlib.metadata
from dataclasses import dataclass, field

import pytest

_OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception)


@dataclass(frozen=True)
class Trap:
    """One trap.

    Attributes:
        test: the test's name in ``test_library_traps.py``.
        library: whose behaviour it is (the distribution's name).
        lessons: number of each lesson that tells of it → a text that stands there.
        code: the same for files of the repository that take care of it.
    """

    test: str
    library: str
    lessons: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)

    def message(self, change: str) -> str:
        """The one line that a failing test prints."""
        places = [f"lesson {number}" for number in self.lessons] + list(self.code)
        line = f"{self.library} {importlib.metadata.version(self.library)}: {change}; mend {', '.join(places)}"
        return " ".join(line.split())


TRAPS = [
    Trap(
        "test_the_question_answering_pipeline_is_gone",
        "transformers",
        {"00": "question-answering", "08": "pipeline of transformers 4"},
        {"README.md": "no question answering pipeline", "qa_helpers/answering.py": "question-answering"},
    ),
    Trap(
        "test_trainer_takes_processing_class_not_tokenizer",
        "transformers",
        {"06": "Trainer"},
        {"qa_helpers/engine/trainer.py": "processing_class=windows.tokenizer"},
    ),
    Trap(
        "test_training_arguments_of_old_notebooks_are_gone",
        "transformers",
        {"06": "warmup"},
        {"qa_helpers/training.py": "eval_strategy="},
    ),
    Trap(
        "test_the_training_arguments_the_course_uses_are_there",
        "transformers",
        {"06": "group_by_length"},
        {"qa_helpers/training.py": "warmup_steps="},
    ),
    Trap(
        "test_a_half_precision_checkpoint_loads_in_half_precision_unless_told_otherwise",
        "transformers",
        {"07": "float16"},
        {"qa_helpers/checkpoints.py": 'dtype="auto"'},
    ),
    Trap(
        "test_scaled_dot_product_attention_returns_no_attentions",
        "transformers",
        {"05": 'attention="eager"'},
        {"qa_helpers/checkpoints.py": "attn_implementation"},
    ),
    Trap(
        "test_alberts_own_tokenizer_leaves_the_segments_out",
        "transformers",
        {"09": "token_type_ids"},
        {"qa_helpers/checkpoints.py": "ALBERT's tokenizer omits the segments"},
    ),
    Trap(
        "test_roberta_and_distilbert_have_no_segments",
        "transformers",
        {"02": "these models have no segments", "09": "DistilBERT has no segments"},
        {"qa_helpers/features.py": "sequence_ids"},
    ),
    Trap(
        "test_sequence_ids_tell_the_context_for_tokenizers_without_segments",
        "transformers",
        {"02": "sequence_ids()", "03": "sequence_ids", "04": "sequence_ids"},
        {"qa_helpers/features.py": "sequence_ids"},
    ),
    Trap(
        "test_offsets_include_the_leading_space_for_deberta_and_modernbert_alone",
        "tokenizers",
        {"09": "leading space"},
        {"qa_helpers/features.py": "Spaces that some tokenizers include in a token"},
    ),
    Trap(
        "test_modernberts_head_is_more_than_a_linear_layer",
        "transformers",
        {"09": "`ExtractiveQA` refuses"},
        {"qa_helpers/engine/unfit_models.py": "def require_linear_head"},
    ),
    Trap(
        "test_roberta_and_deberta_1_put_two_separators_between_the_pair",
        "transformers",
        {"09": "separator"},
        {"qa_helpers/features.py": "num_special_tokens_to_add"},
    ),
    Trap(
        "test_no_answer_is_labelled_by_the_cls_found_not_by_zero_where_padding_is_on_the_left",
        "transformers",
        {"04": "cls_index", "09": "padding_side"},
        {"qa_helpers/model.py": "padding_side"},
    ),
    Trap(
        "test_a_question_without_room_panics_in_tokenizers_but_is_a_value_error_here",
        "tokenizers",
        {"03": "PanicException"},
        {"qa_helpers/features.py": "the tokenizers library would panic"},
    ),
    Trap(
        "test_leading_spaces_in_a_question_upset_only_second_truncation",
        "tokenizers",
        {"03": "turn several spaces at the beginning of a text into extra tokens", "04": "strip()"},
        {"qa_helpers/features.py": 'row["question"].strip()'},
    ),
    Trap(
        "test_special_tokens_in_a_text_are_read_as_special_unless_split",
        "transformers",
        {"02": "[SEP]"},
        {"qa_helpers/checkpoints.py": "split_special_tokens = True"},
    ),
    Trap(
        "test_columns_of_a_dataset_are_lazy",
        "datasets",
        {"04": '["offset_mapping"]'},
        {"qa_helpers/features.py": 'examples["context"][:]'},
    ),
    Trap(
        "test_no_metric_comes_with_the_libraries",
        "datasets",
        {"08": "def exact_match"},
        {"qa_helpers/metrics.py": "EM and F1 as SQuAD defines them"},
    ),
    Trap(
        "test_the_null_score_of_several_windows_is_their_minimum",
        "transformers",
        {"08": "the minimum over its windows"},
        {"qa_helpers/decoding.py": "*minimum*"},
    ),
    Trap(
        "test_nbval_compares_what_notebooks_here_must_not_print",
        "nbval",
        {"06": "nbval-"},
        {"Makefile": "--nbval", "tools/run_notebooks.py": "coalesce_streams"},
    ),
    Trap(
        "test_sliders_redraw_html_and_svg_not_matplotlib",
        "ipywidgets",
        {number: "from qa_helpers import widgets" for number in ("02", "03", "04", "08", "10")},
        {"qa_helpers/classroom/widgets/__init__.py": ""},
    ),
    Trap(
        "test_a_new_notebook_has_no_kernelspec_of_its_own",
        "nbformat",
        {"00": ""},
        {"tools/run_notebooks.py": '"kernelspec": KERNEL'},
    ),
    Trap(
        "test_nothing_but_github_minds_widgets_without_state",
        "nbformat",
        {number: "from qa_helpers import widgets" for number in ("02", "03", "04", "08", "10")},
        {"tools/run_notebooks.py": "*without* ``state``"},
    ),
    Trap(
        "test_hub_loading_never_runs_code_from_a_repository",
        "datasets",
        {"01": "load_squad"},
        {"qa_helpers/checkpoints.py": "trust_remote_code=False"},
    ),
]


def canary(test):
    """Fail with the trap's one line: given by ``changed(condition, what)``, or by whatever else goes wrong."""
    trap = next((trap for trap in TRAPS if trap.test == test.__name__), None)
    if trap is None:
        raise LookupError(f"{test.__name__} is not in TRAPS: say there which lessons tell of it")

    @functools.wraps(test)
    def run(*args, **kwargs):
        try:
            test(*args, **kwargs)
        except _OUTCOMES:
            raise
        except Changed as change:
            problem = str(change)
        except Exception as error:
            problem = f"{type(error).__name__} where there was none ({error})"
        else:
            return
        pytest.fail(trap.message(problem), pytrace=False)

    return run


class Changed(Exception):
    """A library does not do any more what the course says of it."""


def still(condition, otherwise: str) -> None:
    """Raise :class:`Changed` with ``otherwise``, which says what the library does now, unless the condition holds."""
    if not condition:
        raise Changed(otherwise)
