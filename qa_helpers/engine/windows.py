"""What stands around the cutting of windows: whether the settings fit, and the columns that the windows are kept in."""

from datasets import Features, List, Value

from .unfit_models import require_offsets


def check_window_settings(tokenizer, max_length: int, stride: int) -> None:
    """Raise a ValueError unless the tokenizer gives offsets, the question comes first and the stride fits."""
    require_offsets(tokenizer)
    sides = tokenizer("a", "a").sequence_ids()
    if sides.index(0) > sides.index(1):
        raise ValueError(f"{type(tokenizer).__name__} puts the second text first; the question has to come first")
    if stride < 0 or max_length < 1:
        raise ValueError(f"max_length and stride count tokens: got max_length={max_length}, stride={stride}")
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True)
    if room - 1 <= stride:
        raise ValueError(
            f"stride {stride} does not fit max_length {max_length}: at most {room} tokens are left for "
            f"a question and context, and the context's share must exceed the stride. Lower stride or raise max_length"
        )


def feature_columns(tokenizer, labels: bool) -> Features:
    """The columns of :func:`qa_helpers.make_features`, with their types."""
    schema = {"input_ids": List(Value("int32")), "attention_mask": List(Value("int8"))}
    if "token_type_ids" in tokenizer.model_input_names:
        schema["token_type_ids"] = List(Value("int8"))
    schema |= {
        "offset_mapping": List(List(Value("int32"), length=2)),
        "context_tokens": List(Value("int32"), length=2),
        "cls_index": Value("int32"),
        "example_id": Value("string"),
        "example_index": Value("int32"),
    }
    if labels:
        schema |= {"start_positions": Value("int32"), "end_positions": Value("int32")}
    return Features(schema)
