"""The forms in which predictions and answers may come to be scored."""

from collections.abc import Iterable, Mapping


def predicted_texts(predictions) -> dict[str, str]:
    """id → text, from predictions in any accepted form."""
    if isinstance(predictions, Mapping):
        pairs = list(predictions.items())
    else:
        try:
            pairs = [
                (p["id"], p["prediction_text"]) if isinstance(p, Mapping) else (p.example_id, p.text)
                for p in predictions
            ]
        except (AttributeError, KeyError, TypeError):
            raise ValueError(
                "predictions are qa.Prediction objects, a dict id -> text, or dicts with id and prediction_text"
            ) from None
    texts: dict[str, str] = {}
    for identifier, text in pairs:
        if not isinstance(text, str | None):
            raise ValueError(
                f"the prediction of example {identifier!r} is {type(text).__name__}, not text: {text!r:.80}"
            )
        if texts.setdefault(str(identifier), text or "") != (text or ""):
            raise ValueError(f"example {identifier!r} has two predictions; keep one")
    return texts


def acceptable_texts(example: Mapping) -> list[str]:
    """The texts of an example's answers: SQuAD's two lists, a list of objects or of texts, or one text."""
    answers = example.get("answers")
    texts = answers.get("text") if isinstance(answers, Mapping) else answers
    if isinstance(texts, str):
        texts = [texts]
    if isinstance(texts, Iterable):
        texts = [answer.get("text") if isinstance(answer, Mapping) else answer for answer in texts]
        if all(isinstance(text, str) for text in texts):
            return texts
    raise ValueError(
        f"example {example['id']!r}: answers should be {{'text': [...], 'answer_start': [...]}}, got {answers!r:.80}"
    )
