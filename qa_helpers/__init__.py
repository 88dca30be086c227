"""Helpers of the course *Extractive QA in notebooks*: one module per step, from a raw SQuAD row to a scored answer.

Names are loaded on first use, so that ``import qa_helpers`` alone costs milliseconds and loads neither torch nor
transformers.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "mini.corpus": ["build_corpus", "passages", "to_squad_json", "write_corpus"],
    "data": ["load_squad"],
    "examples": ["check_examples"],
    "checkpoints": ["load_model", "load_tokenizer"],
    "features": ["answer_in_window", "label_coverage", "make_features", "span_text"],
    "model": ["ExtractiveQA", "make_batch", "predict_logits"],
    "decoding": ["Candidate", "Prediction", "apply_threshold", "decode_answers"],
    "metrics": ["Scores", "exact_match", "f1", "find_best_threshold", "normalize_answer", "score"],
    "analysis": ["bootstrap_interval", "calibration", "classify_errors", "question_word", "score_by"],
    "evaluation": ["Evaluation"],
    "training": ["FineTuneResult", "fine_tune"],
    "answering": ["QuestionAnswerer"],
    "shapes": ["expect"],
    "classroom.progress": ["progress"],
    "classroom.recap": ["shape_table", "trace_shapes"],
    "course": ["Course", "FineTuneConfig", "setup"],
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
# Modules of the subpackages that lessons use, under their last name: ``from qa_helpers import plots``.
_MODULES = {
    "mini": ["comparison", "corpus", "pretraining", "probes", "shortcuts"],
    "figures": [
        "evaluation_plots",
        "family_plots",
        "model_plots",
        "plots",
        "probe_plots",
        "serving_plots",
        "training_plots",
    ],
    "classroom": ["annotations", "cases", "exercises", "machine", "render", "widgets"],
}
_MODULE_HOME = {name: f"{folder}.{name}" for folder, names in _MODULES.items() for name in names}
_MODULE_HOME |= {module: module for module in _PUBLIC if "." not in module}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULE_HOME:
        return import_module(f"{__name__}.{_MODULE_HOME[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME, *_MODULE_HOME})
