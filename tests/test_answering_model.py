"""How mini-bert-qa is made: its tokens, its first weights, its questions, a training in miniature."""

from random import Random

import pytest
import torch
from transformers import BertConfig, BertModel

import qa_helpers as qa
from qa_helpers.mini import answering_model
from qa_helpers.mini.answering_model import (
    PRINTABLE,
    AnsweringConfig,
    Batches,
    answering_tokenizer,
    make_answering_model,
    random_cloze,
)
from qa_helpers.mini.notes import read_notes
from qa_helpers.mini.rewording import Asked
from qa_helpers.mini.small_encoders import start_heads_that_match

NOTES = [note for note in read_notes() if note.kind in ("email", "recipe")]
SMALL = AnsweringConfig(
    width=48, layers=2, vocab_size=3000, random_steps=2, steps=2, batch_size=4, length=96, stride=32, progress=False
)


@pytest.fixture(scope="module")
def tokenizer():
    return answering_tokenizer(NOTES, 6000, 256)


def test_every_printable_character_has_a_token(tokenizer):
    typographic = ["‘", "’", "“", "”", "–", "—", "…", "•", "£", "€", "°", "½", "é"]
    for character in [*PRINTABLE.split(), *typographic]:
        tokens = tokenizer.tokenize(f"a {character} b{character}")
        assert tokenizer.unk_token not in tokens, character
    assert len(tokenizer) == 6000 and tokenizer.model_max_length == 256


def test_a_random_cloze_points_at_what_its_question_leaves_out(tokenizer):
    rng = Random(0)
    for _ in range(200):
        row = random_cloze(tokenizer, rng)
        ids = row["input_ids"]
        first = ids.index(tokenizer.sep_token_id) + 1
        question, context = ids[1 : first - 1], ids[first:-1]
        gap, (start, end) = question.index(tokenizer.mask_token_id), (row["start_positions"], row["end_positions"])
        assert first <= start <= end < len(ids) - 1 and row["token_type_ids"] == [0] * first + [1] * (len(ids) - first)
        before, after = context[: start - first][-6:], context[end - first + 1 :][:6]
        for part, stretch in ((question[:gap], before), (question[gap + 1 :], after)):
            rest = iter(stretch)
            assert all(token in rest for token in part), "tokens beside the answer, in their order"


def test_heads_attend_from_the_start_to_equal_tokens_and_to_neighbours():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=500, hidden_size=192, num_hidden_layers=2, num_attention_heads=3, initializer_range=0.05
    )
    encoder = BertModel._from_config(config, attn_implementation="eager").eval()
    ids = torch.randperm(500)[None, :60].clone()
    ids[0, 40] = ids[0, 10]
    plain = encoder(ids, output_attentions=True).attentions[0][0]
    start_heads_that_match(encoder)
    equal, before, after = encoder(ids, output_attentions=True).attentions[0][0]
    assert equal[10].topk(2).indices.sort().values.tolist() == [10, 40] and equal[10, 40] > 5 * plain[0, 10, 40]
    inner = torch.arange(1, 59)
    assert (
        (before[inner].argmax(-1) == inner - 1).float().mean()
        > 0.7
        < (after[inner].argmax(-1) == inner + 1).float().mean()
    )
    assert before[inner, inner - 1].mean() > 0.5 and after[inner, inner + 1].mean() > 0.5
    with pytest.raises(ValueError, match="three heads get a job, the encoder has 2"):
        start_heads_that_match(BertModel(BertConfig(vocab_size=50, hidden_size=32, num_attention_heads=2)))


def test_batches_are_windows_whose_labels_are_answers(tokenizer, monkeypatch):
    small(monkeypatch)
    batches = iter(Batches(tokenizer, NOTES, SMALL))
    made = [next(batches) for _ in range(SMALL.random_steps + answering_model.TAKEN_TOGETHER)]
    assert [len(batch["input_ids"]) for batch in made[:3]] == [8, 8, 4]
    with_answer = 0
    for batch in made:
        assert batch["input_ids"].shape[1] <= SMALL.positions
        start, end = batch["start_positions"], batch["end_positions"]
        assert (start <= end).all() and ((start == 0) == (end == 0)).all()
        segments = batch["token_type_ids"].gather(1, start[:, None])[:, 0]
        assert ((segments == 1) == (start > 0)).all(), "an answer is in the context"
        with_answer += (start > 0).sum()
    assert with_answer > 24, "more than half"


def test_a_question_that_fills_half_a_window_is_left_out_and_ends_no_run(tokenizer, monkeypatch):
    small(monkeypatch)
    batches = Batches(tokenizer, NOTES, SMALL)
    short, long = Asked("Who came?", "Ada came.", 0, 3), Asked("Who " * 60 + "came?", "Ada came.", 0, 3)
    assert [window["example_index"] for window in batches._windows([long, short], SMALL.length)] == [0]


def test_a_miniature_training_leaves_a_model_that_answers(tmp_path, monkeypatch):
    small(monkeypatch)
    lines = []
    log = make_answering_model(tmp_path / "model", SMALL, lines.append)
    assert log[-1]["step"] == 4 and len(lines) == 1 and "4 steps" in lines[0]
    model = qa.load_model(tmp_path / "model", needs_head=True)
    assert model.has_trained_head and model.config.num_hidden_layers == 2
    found = qa.QuestionAnswerer(tmp_path / "model")(question="Who wrote?", context="Ann wrote to Bob on Monday.")
    assert found["answer"] in "Ann wrote to Bob on Monday."


def small(monkeypatch):
    """Less of everything."""
    corpus, retold, texts = answering_model.build_corpus, answering_model.retellings, answering_model.passages
    monkeypatch.setattr(answering_model, "read_notes", lambda: NOTES)
    monkeypatch.setattr(answering_model, "build_corpus", lambda *_, **__: corpus(60, 0))
    monkeypatch.setattr(answering_model, "retellings", lambda *_, **__: retold(60))
    monkeypatch.setattr(answering_model, "passages", lambda *_, **__: texts(60))
