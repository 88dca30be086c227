"""Answering: a question and any document → an answer; the successor of ``pipeline("question-answering")``.

transformers 5 removed that pipeline. :class:`QuestionAnswerer` takes the same inputs and returns the same results: the
same spans with the same scores (a test compares it with what the pipeline of transformers 4 returned).
"""

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

from .checkpoints import load_model, load_tokenizer, longest_input, settle_tokenizer
from .decoding import spans_of_window
from .engine.asked import question_context_pairs
from .engine.columns import list_column
from .features import count_tokens, make_features
from .model import predict_logits

_UNKNOWN = {"text": [], "answer_start": []}  # the answers of a question that is being asked


class QuestionAnswerer:
    """Answers questions about documents of any length.

    Args:
        model: a fine-tuned model, or a checkpoint's name or folder.
        tokenizer: the model's tokenizer; not needed if ``model`` is a name.
        device: where to run, e.g. ``"cuda"``; None leaves the model where it is.
        batch_size: windows per batch.

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
        self.model = model.to(device) if device is not None else model
        self.tokenizer = settle_tokenizer(tokenizer, self.model.config)
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
        batch_size: int | None = None,
        padding: bool | str = "longest",
    ) -> dict | list:
        """Answer one question or many.

        Args:
            inputs: a question and a context, or dicts that hold both: one, several, a list or an iterator of them.
            question, context: instead of ``inputs``; lists are paired element by element; one context may serve many
                questions.
            top_k: answers per question.
            doc_stride: tokens that neighbouring windows share; default: the smaller of 128 and half of ``max_seq_len``.
            max_answer_len: the longest answer, in tokens.
            max_seq_len: tokens per window; default: 384, or less if tokenizer or model allow no more.
            max_question_len: refuse questions with more tokens; None accepts any that leaves room for context. (The
                pipeline documented a default of 64, but never applied it with fast tokenizers.)
            handle_impossible_answer: let "no answer" (an empty string) compete with the spans.
            align_to_words: widen answers to whole words.
            batch_size: windows per batch in this call; None uses the answerer's own setting.
            padding: accepted because the pipeline took it; batches are padded as needed.

        Returns:
            ``{"score", "start", "end", "answer"}``: characters [start, end) of the context; ``score``, the product of the
            start's and the end's probability within its window, summed over the spans with the same text. A list of
            dicts if ``top_k`` > 1 and more than one was found; a list of results if several questions were asked.

        Raises:
            ValueError: no or empty question or context, half a surrogate pair in one of them, lists of different length,
                settings that leave no room.
        """
        if top_k < 1 or max_answer_len < 1:
            raise ValueError(f"top_k and max_answer_len must be at least 1, got {top_k} and {max_answer_len}")
        if padding not in (True, False, "longest", "max_length", "do_not_pad"):
            raise ValueError(f"padding is True, False, 'longest', 'max_length' or 'do_not_pad', got {padding!r}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        pairs = question_context_pairs(inputs, question, context)
        limit = min(self.tokenizer.model_max_length, longest_input(self.model.config) or 384, 384)
        max_length = max_seq_len or limit
        stride = min(max_length // 2, 128) if doc_stride is None else doc_stride
        if max_question_len is not None:
            self._check_questions([q for q, _ in pairs], max_question_len)
        rows = [{"id": q[:40], "title": "", "question": q, "context": c, "answers": _UNKNOWN} for q, c in pairs]
        features = make_features(rows, self.tokenizer, max_length, stride, labels=False, progress=False)
        starts, ends = predict_logits(self.model, features, batch_size or self.batch_size)
        offsets = list_column(features, "offset_mapping")
        columns = features.select_columns(["example_index", "context_tokens", "cls_index"])[:]
        # Widening to whole words makes some spans equal; as in the pipeline, more are taken so that top_k remain.
        count = 2 * top_k + 10 if align_to_words else top_k
        answers: list[list[dict]] = [[] for _ in pairs]
        null_scores = [1.0] * len(pairs)
        for k, (owner, context_tokens, cls_index) in enumerate(zip(*columns.values())):
            logits, document = (starts[k], ends[k]), pairs[owner][1]
            first, beyond = context_tokens
            a, b = int(offsets[k][first, 0]), int(offsets[k][beyond - 1, 1])
            # As in the pipeline, words are widened no further than the window reaches.
            visible = " " * a + document[a:b]
            spans = spans_of_window(visible, offsets[k], *logits, context_tokens, count, max_answer_len, align_to_words)
            # Probabilities over the context's tokens and [CLS], as in the pipeline: question tokens do not count.
            counted = [cls_index, *range(first, beyond)]
            total = sum(np.logaddexp.reduce(values[counted].astype(float)) for values in logits)
            for score, start, end, text in spans:
                _add_answer(answers[owner], float(np.exp(score - total)), start, end, text)
            null_score = float(np.exp(float(starts[k][cls_index]) + float(ends[k][cls_index]) - total))
            null_scores[owner] = min(null_scores[owner], null_score)
        results = []
        for (_, document), found, null_score in zip(pairs, answers, null_scores):
            if handle_impossible_answer:
                found.append({"score": null_score, "start": 0, "end": 0, "answer": ""})
            if not found:
                raise ValueError(f"context {document[:40]!r}: no span holds any text (only invisible characters?)")
            best = sorted(found, key=itemgetter("score"), reverse=True)[:top_k]
            results.append(best[0] if len(best) == 1 else best)
        return results[0] if len(results) == 1 else results

    def _check_questions(self, questions: list[str], longest: int) -> None:
        for question, length in zip(questions, count_tokens(questions, self.tokenizer)):
            if length > longest:
                raise ValueError(
                    f"question {question[:40]!r} has {length} tokens, max_question_len is {longest}: shorten it "
                    "or raise max_question_len"
                )


def _add_answer(answers: list[dict], score: float, start: int, end: int, text: str) -> None:
    """Add a span to the answers of its document. The same text found twice (in overlapping windows, or repeated in
    the document) is one answer, as in the pipeline."""
    for answer in answers:
        if answer["answer"].lower() == text.lower():
            answer["score"] += score
            return
    answers.append({"score": score, "start": start, "end": end, "answer": text})
