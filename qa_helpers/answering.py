"""Answering: a question and any document → an answer; the successor of ``pipeline("question-answering")``.

transformers 5 removed that pipeline. :class:`QuestionAnswerer` takes the same inputs and returns the same results: the
same spans with the same scores (a test compares it with what the pipeline of transformers 4 returned).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .checkpoints import load_model, load_tokenizer, longest_input, require_offsets
from .data import is_unicode
from .decoding import best_spans
from .features import check_room, span_text, window_layout
from .model import MODEL_INPUTS, predict_logits


class QuestionAnswerer:
    """Answers questions about documents of any length.

    Args:
        model: a fine-tuned model, or a checkpoint's name or folder.
        tokenizer: the model's tokenizer; not needed where ``model`` is a name.
        device: where to run, e.g. ``"cuda"``; None leaves the model where it is.
        batch_size: windows at once.

    >>> answerer = QuestionAnswerer("runs/first")  # doctest: +SKIP
    >>> answerer(question="Who built it?", context="It was built by Ilse Varn.")  # doctest: +SKIP
    {'score': 0.98, 'start': 16, 'end': 25, 'answer': 'Ilse Varn'}
    """

    def __init__(self, model, tokenizer=None, device=None, batch_size: int = 32):
        if isinstance(model, (str, Path)):
            tokenizer = tokenizer or load_tokenizer(model)
            model = load_model(model, needs_head=True)
        if tokenizer is None:
            raise ValueError("give the model's tokenizer too: QuestionAnswerer(model, tokenizer)")
        require_offsets(tokenizer)
        self.model = model.to(device) if device is not None else model
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    def __call__(
        self,
        *inputs,
        question: str | Sequence[str] | None = None,
        context: str | Sequence[str] | None = None,
        top_k: int = 1,
        doc_stride: int | None = None,
        max_answer_len: int = 15,
        max_seq_len: int | None = None,
        max_question_len: int | None = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
    ) -> dict | list:
        """Answer one question or many.

        Args:
            inputs: a dict with ``question`` and ``context``, several such dicts or a list of them; or two strings, a
                question and a context.
            question, context: instead of ``inputs``; lists go pair by pair, one context may serve many questions.
            top_k: answers per question.
            doc_stride: tokens that neighbouring windows share; default 128 or half of ``max_seq_len``, the smaller.
            max_answer_len: the longest answer, in tokens.
            max_seq_len: tokens per window; default 384 or what the tokenizer allows, the smaller.
            max_question_len: refuse questions of more tokens; None takes any that leaves room for context. (The
                pipeline named 64 as its default, but with fast tokenizers it never applied it.)
            handle_impossible_answer: let "no answer" (an empty string) compete with the spans.
            align_to_words: widen answers to whole words.

        Returns:
            ``{"score", "start", "end", "answer"}``: characters [start, end) of the context; ``score``, the product of the
            start's and the end's probability within its window, summed over the spans that read the same. A list of
            dicts where ``top_k`` > 1 and more than one was found; a list of results where several questions were asked.

        Raises:
            ValueError: no or empty question or context, half a surrogate pair in one of them, lists of different length,
                settings that leave no room.
        """
        if top_k < 1 or max_answer_len < 1:
            raise ValueError(f"top_k and max_answer_len start at 1, got {top_k} and {max_answer_len}")
        pairs = _as_pairs(inputs, question, context)
        limit = min(self.tokenizer.model_max_length, longest_input(self.model.config) or 384, 384)
        max_length = max_seq_len or limit
        stride = min(max_length // 2, 128) if doc_stride is None else doc_stride
        # Widening to whole words makes some spans alike; as in the pipeline, more are taken so that top_k remain, and
        # those that read the same add up.
        count = 2 * top_k + 10 if align_to_words else top_k
        encoded = self._encode(pairs, max_length, stride, max_question_len)
        columns = {name: encoded[name] for name in MODEL_INPUTS if name in encoded}
        starts, ends = predict_logits(self.model, columns, batch_size=self.batch_size)
        windows: list[list[int]] = [[] for _ in pairs]
        for window, source in enumerate(encoded["overflow_to_sample_mapping"]):
            windows[source].append(window)
        results = []
        for (_, document), own in zip(pairs, windows):
            answers: list[dict] = []
            null_score = 1.0
            for k in own:
                null = self._add_answers(
                    answers, encoded.encodings[k], document, starts[k], ends[k], count, max_answer_len, align_to_words
                )
                null_score = min(null_score, null)
            if handle_impossible_answer:
                answers.append({"score": null_score, "start": 0, "end": 0, "answer": ""})
            if not answers:
                raise ValueError(f"context {document[:40]!r}: no span holds any text (only invisible characters?)")
            answers = sorted(answers, key=lambda answer: -answer["score"])[:top_k]
            results.append(answers[0] if len(answers) == 1 else answers)
        return results[0] if len(results) == 1 else results

    def _encode(self, pairs, max_length: int, stride: int, max_question_len: int | None):
        questions = [question for question, _ in pairs]
        names = [question[:40] for question in questions]
        check_room(questions, names, self.tokenizer, max_length, stride)
        for question in questions if max_question_len is not None else ():
            length = len(self.tokenizer.tokenize(question))
            if length > max_question_len:
                raise ValueError(
                    f"question {question[:40]!r} has {length} tokens, max_question_len is {max_question_len}: shorten it "
                    "or raise max_question_len"
                )
        return self.tokenizer(
            questions,
            [context for _, context in pairs],
            truncation="only_second",
            max_length=max_length,
            stride=stride,
            return_overflowing_tokens=True,
            padding=False,
            split_special_tokens=True,
        )

    def _add_answers(self, answers, window, context, starts, ends, count, max_answer_len, align_to_words) -> float:
        """Add a window's best answers to those of its document; returns the window's probability of "no answer"."""
        context_tokens, cls = window_layout(window, self.tokenizer.cls_token_id, f"context {context[:40]!r}")
        # Probabilities over the context's tokens and [CLS], as the pipeline had them: question tokens do not count.
        counted = [cls, *range(*context_tokens)]
        total = _log_sum_exp(starts[counted]) + _log_sum_exp(ends[counted])
        wanted, spans = count, []
        while len(spans) < count:  # a span of spaces alone (RoBERTa has tokens for them) is no answer: take another
            best = list(zip(*best_spans(starts, ends, context_tokens, wanted, max_answer_len)))
            found = ((self._characters(window, context, int(a), int(b), align_to_words), score) for a, b, score in best)
            spans = [(a, b, score) for (a, b), score in found if a < b]
            if len(best) < wanted:
                break
            wanted *= 2
        for a, b, score in spans[:count]:
            probability, text = float(np.exp(score - total)), context[a:b]
            same = next((x for x in answers if x["answer"].lower() == text.lower()), None)
            if same:  # the same words twice (in overlapping windows, or said again) are one answer, as in the pipeline
                same["score"] += probability
            else:
                answers.append({"score": probability, "start": a, "end": b, "answer": text})
        return float(np.exp(float(starts[cls]) + float(ends[cls]) - total))

    @staticmethod
    def _characters(window, context: str, start: int, end: int, align_to_words: bool) -> tuple[int, int]:
        if align_to_words:
            first, last = window.token_to_word(start), window.token_to_word(end)
            if first is not None and last is not None:
                a, b = window.word_to_chars(first, 1)[0], window.word_to_chars(last, 1)[1]
                text = context[a:b]  # DeBERTa's words begin with the space before them
                return a + len(text) - len(text.lstrip()), b - len(text) + len(text.rstrip())
        a, b, _ = span_text(context, window.offsets, start, end)
        return a, b


def _as_pairs(inputs, question, context) -> list[tuple[str, str]]:
    """Every accepted form of input → [(question, context), ...]."""
    if inputs:
        if question is not None or context is not None:
            raise ValueError("give either inputs or question= and context=, not both")
        if len(inputs) == 2 and all(isinstance(text, str) for text in inputs):
            return _as_pairs((), *inputs)
        rows = inputs[0] if len(inputs) == 1 and not isinstance(inputs[0], Mapping) else inputs
        if isinstance(rows, str) or not isinstance(rows, Iterable):
            raise ValueError(f"give a question and a context, or dicts that hold both; got only {rows!r:.80}")
        rows = list(rows)
        if len(rows) == 1 and isinstance(rows[0], Mapping) and isinstance(rows[0].get("question"), list | tuple):
            return _as_pairs((), rows[0]["question"], rows[0].get("context"))
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
                    f"the {what} of input {k} holds half a surrogate pair, which is no character; repair the text"
                )
    return [(q.strip(), c) for q, c in pairs]


def _log_sum_exp(values: np.ndarray) -> float:
    values = values.astype(np.float64)
    return float(values.max() + np.log(np.exp(values - values.max()).sum()))
