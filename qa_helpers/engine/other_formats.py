"""Question answering files in formats other than SQuAD's: MRQA's is read; for others, a message says what to export."""

_OTHERS = (  # (what it is, keys that identify it, what to do)
    ("Label Studio's export", {"annotations", "data"}, "a result's value.text and value.start give an answer"),
    (
        "an export of labelled spans, as doccano writes it",
        {"text", "label"},
        "it has no questions: add one to each span",
    ),
    (
        "TriviaQA",
        {"Answer", "Question"},
        "its answers have no positions in a text; its version in MRQA's format has them and can be read",
    ),
    ("NewsQA", {"questions", "text"}, "its version in MRQA's format can be read"),
    (
        "KorQuAD 2",
        {"raw_html"},
        "its answers are positions in HTML; take the page's plain text and find the answers in it",
    ),
)
_ROW = '{"id", "context", "question", "answers": {"text": [...], "answer_start": [...]}}'


def refuse_other_format(item: dict, place: str) -> None:
    """Raise a ValueError if an object is recognised as another data set's or tool's format."""
    inside = item.get("Data")  # TriviaQA's whole file
    keys = set(item) | (
        set(inside[0]) if inside and isinstance(inside, list) and isinstance(inside[0], dict) else set()
    )
    for name, shown_by, remedy in _OTHERS:
        if shown_by <= keys and not {"question", "paragraphs"} & keys:
            raise ValueError(f"{place}: this is {name}; {remedy}. Export rows of SQuAD's shape instead: {_ROW}")


def answers_of_mrqa(detected: list | dict, context: str, place: str) -> list[dict]:
    """Convert MRQA's ``detected_answers``, from its files or from the hub's table, to SQuAD's form.

    MRQA's spans include their last character. An answer is written as in the context at that place.
    """
    answers = []
    try:
        if isinstance(detected, dict):
            spans = [list(zip(places["start"], places["end"])) for places in detected["char_spans"]]
            pairs = list(zip(detected["text"], spans))
        else:
            pairs = [(answer["text"], answer["char_spans"]) for answer in detected]
        for text, spans in pairs:
            for start, last in spans:
                written = context[start : last + 1]
                alike = written.casefold().split() == text.casefold().split()
                answers.append({"text": written if alike else text, "answer_start": start})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'{place}: not as MRQA writes them ({error}); it has {{"text", "char_spans": [[first, last], ...]}} for each'
        ) from None
    return answers
