"""Question answering files of other shapes than SQuAD's: MRQA's is read; of others a message says what to export."""

_OTHERS = (  # (what it is, keys that show it, what to do)
    ("Label Studio's export", {"annotations", "data"}, "value.text and value.start of a result are an answer's"),
    (
        "an export of labelled spans, as doccano writes it",
        {"text", "label"},
        "it has no questions: add one to each span",
    ),
    (
        "TriviaQA",
        {"Answer", "Question"},
        "its answers have no place in a text; its version in MRQA's format has, and is read",
    ),
    ("NewsQA", {"questions", "text"}, "its version in MRQA's format is read"),
    (
        "KorQuAD 2",
        {"raw_html"},
        "its answers are places in HTML; take the page's plain text, and find the answers in it",
    ),
)
_ROW = '{"id", "context", "question", "answers": {"text": [...], "answer_start": [...]}}'


def refuse_other_format(item: dict, place: str) -> None:
    """Raise a ValueError if an object is known to be of another data set's or tool's format."""
    inside = item.get("Data")  # TriviaQA's whole file
    keys = set(item) | (
        set(inside[0]) if inside and isinstance(inside, list) and isinstance(inside[0], dict) else set()
    )
    for name, shown_by, remedy in _OTHERS:
        if shown_by <= keys and not {"question", "paragraphs"} & keys:
            raise ValueError(f"{place}: this is {name}; {remedy}. Export rows of SQuAD's shape instead: {_ROW}")


def answers_of_mrqa(detected: list | dict, context: str, place: str) -> list[dict]:
    """MRQA's ``detected_answers``, as its files or as the hub's table have them, in SQuAD's words.

    Its spans include their last character. An answer reads as the context does at its place.
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
