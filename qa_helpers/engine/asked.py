"""The forms in which questions and contexts may be given to the answerer: those of transformers' pipeline."""

from collections.abc import Iterable, Mapping

from .rows import is_unicode


def question_context_pairs(inputs, question, context) -> list[tuple[str, str]]:
    """Every accepted form of input → [(question, context), ...]."""
    if inputs:
        if question is not None or context is not None:
            raise ValueError("give either inputs or question= and context=, not both")
        if len(inputs) == 2 and all(isinstance(text, str) for text in inputs):
            return question_context_pairs((), *inputs)
        rows = inputs[0] if len(inputs) == 1 and not isinstance(inputs[0], Mapping) else inputs
        if isinstance(rows, str) or not isinstance(rows, Iterable):
            raise ValueError(f"give a question and a context, or dicts that hold both; got only {rows!r:.80}")
        rows = list(rows)
        if len(rows) == 1 and isinstance(rows[0], Mapping) and isinstance(rows[0].get("question"), list | tuple):
            return question_context_pairs((), rows[0]["question"], rows[0].get("context"))
        for row in rows:
            if not isinstance(row, Mapping) or not {"question", "context"} <= set(row):
                raise ValueError(f"each input is a dict with the keys question and context, got {row!r:.80}")
        pairs = [(row["question"], row["context"]) for row in rows]
    else:
        if question is None or context is None:
            raise ValueError("give both question= and context=")
        questions = [question] if isinstance(question, str) else list(question)
        contexts = [context] * len(questions) if isinstance(context, str) else list(context)
        if len(questions) != len(contexts):
            raise ValueError(
                f"{len(questions)} questions but {len(contexts)} contexts; give one context, or one for each"
            )
        pairs = list(zip(questions, contexts))
    if not pairs:
        raise ValueError("there is no question to answer")
    for k, pair in enumerate(pairs):
        for what, text in zip(("question", "context"), pair):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"the {what} of input {k} is empty; give some text")
            if not is_unicode(text):
                raise ValueError(
                    f"the {what} of input {k} holds half a surrogate pair, which is not a character; repair the text"
                )
    return [(q.strip(), c) for q, c in pairs]
