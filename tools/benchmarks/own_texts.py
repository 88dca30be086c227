"""How many plain questions about everyday texts does a model answer? Texts and questions were written for this alone.

    python tools/benchmarks/own_texts.py mini-bert-qa [--held-back] [--max-length 256]

``own_texts.json`` guides what is tried; ``own_texts_held_back.json`` is looked at when all is decided.
"""

import argparse
import json
from pathlib import Path

import qa_helpers as qa


def examples(file: Path) -> list[dict]:
    """The file's questions in SQuAD's shape."""
    rows = []
    for text in json.loads(file.read_text(encoding="utf-8")):
        for number, question in enumerate(text["questions"]):
            answers = question["answers"]
            places = [text["text"].index(answer) for answer in answers]
            rows.append(
                {
                    "id": f"{text['title']} {number}",
                    "title": text["title"],
                    "context": text["text"],
                    "question": question["question"],
                    "answers": {"text": answers, "answer_start": places},
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--held-back", action="store_true")
    parser.add_argument("--max-length", type=int, default=256)
    options = parser.parse_args()
    rows = examples(Path(__file__).with_name("own_texts_held_back.json" if options.held_back else "own_texts.json"))
    tokenizer, model = qa.load_tokenizer(options.checkpoint), qa.load_model(options.checkpoint, needs_head=True)
    length = options.max_length
    evaluation = qa.Evaluation(rows, tokenizer, length, length // 4, align_to_words=True, progress=False)
    scores, answers = evaluation.run(model)
    for row, answer in zip(rows, answers, strict=True):
        print(f"{row['question']}  {answer.text!r}  (accepted: {row['answers']['text'][0]!r})")
    print(f"{len(rows)} questions: EM {scores.exact_match:.1f} / F1 {scores.f1:.1f}")


if __name__ == "__main__":
    main()
