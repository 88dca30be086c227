"""What the course knows about today's libraries. A failure is one line: what has changed, and which lesson to mend.

``library_traps.TRAPS`` lists the traps, their tests, and the lessons and files that tell of them.
"""

import ast
import importlib.metadata
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import nbformat
import numpy as np
import pytest
import torch
import transformers
from conftest import BELLS, BRIDGE, REPOSITORY, make_example
from datasets import Dataset
from library_traps import TRAPS, Changed, Trap, canary, still
from nbclient import NotebookClient
from transformers import AutoModel, AutoModelForQuestionAnswering, AutoTokenizer, TrainingArguments

import qa_helpers as qa
from qa_helpers.checkpoints import MINI_CHECKPOINTS, locate

QUESTION = "Who built the bridge?"


# Training -------------------------------------------------------------------------------------------------------------


@canary
def test_the_question_answering_pipeline_is_gone():
    try:
        transformers.pipeline("question-answering")
    except (KeyError, ValueError):
        pass
    else:
        raise Changed("there is a question-answering pipeline again, to which QuestionAnswerer could hand over")
    still(not hasattr(transformers, "QuestionAnsweringPipeline"), "QuestionAnsweringPipeline is back")


@canary
def test_trainer_takes_processing_class_not_tokenizer():
    names = inspect.signature(transformers.Trainer.__init__).parameters
    still("processing_class" in names, "Trainer lost processing_class=")
    still("tokenizer" not in names, "Trainer takes tokenizer= again")


@pytest.mark.parametrize(
    "name", ["evaluation_strategy", "warmup_ratio", "no_cuda", "overwrite_output_dir", "group_by_length", "logging_dir"]
)
@canary
def test_training_arguments_of_old_notebooks_are_gone(name):
    taken = inspect.signature(TrainingArguments.__init__).parameters
    still(name not in taken, f"TrainingArguments takes {name}= again")


@canary
def test_the_training_arguments_the_course_uses_are_there(tmp_path):
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        eval_strategy="no",
        use_cpu=True,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        warmup_steps=0.25,
        report_to="none",
        remove_unused_columns=False,
    )
    still(arguments.get_warmup_steps(100) == 25, "warmup_steps below 1 is no longer a share of all steps")
    # The strategy's name is not checked by the library (a misspelt one silently shuffles), so see what it does.
    data = Dataset.from_dict({"input_ids": [[1] * n for n in range(1, 33)], "length": list(range(1, 33))})
    arguments.per_device_train_batch_size = 4
    trainer = transformers.Trainer(torch.nn.Linear(1, 1), arguments, train_dataset=data)
    name = type(trainer.get_train_dataloader().batch_sampler.sampler).__name__
    still("LengthGrouped" in name, f'train_sampling_strategy="group_by_length" gives a {name} now')


# Checkpoints ----------------------------------------------------------------------------------------------------------


@canary
def test_a_half_precision_checkpoint_loads_in_half_precision_unless_told_otherwise(checkpoint, tmp_path):
    """As deberta-v3 is stored on the hub, and the course's own."""
    AutoModelForQuestionAnswering.from_pretrained(checkpoint).half().save_pretrained(tmp_path / "half")
    found = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "half").dtype
    still(found == torch.float16, f"from_pretrained no longer keeps a checkpoint's own dtype by default, but {found}")
    still(qa.load_model(tmp_path / "half").dtype == torch.float32, "dtype=torch.float32 is no longer heeded")


@canary
def test_scaled_dot_product_attention_returns_no_attentions(checkpoint, tokenizer):
    inputs = tokenizer("Who?", "The keeper.", return_tensors="pt")
    model = AutoModel.from_pretrained(checkpoint)
    found = model.config._attn_implementation
    still(found == "sdpa", f"sdpa is no longer the default attention, but {found}")
    found = model(**inputs, output_attentions=True).attentions
    still(not found or found[0] is None, 'sdpa returns attentions now, so attention="eager" is not needed any more')
    eager = AutoModel.from_pretrained(checkpoint, attn_implementation="eager")
    still(len(eager(**inputs, output_attentions=True).attentions) == 2, "eager attention returns no attentions")


@canary
def test_hub_loading_never_runs_code_from_a_repository():
    parameters = inspect.signature(datasets.load_dataset).parameters
    still("trust_remote_code" not in parameters, "load_dataset takes trust_remote_code= again: pass False")


# Tokenizers -----------------------------------------------------------------------------------------------------------


def own_tokenizer(name: str):
    """As the library loads it, without what ``load_tokenizer`` settles."""
    return AutoTokenizer.from_pretrained(locate(name))


@canary
def test_alberts_own_tokenizer_leaves_the_segments_out():
    # The shipped tokenizers are saved settled; so ask the class, which is what reads albert-base-v2.
    names = transformers.AlbertTokenizer.model_input_names
    still("token_type_ids" not in names, "ALBERT's tokenizer gives token_type_ids by itself")
    pair = qa.load_tokenizer("mini-albert")(QUESTION, BRIDGE)
    still(set(pair["token_type_ids"]) == {0, 1}, "ALBERT's tokenizer gives no segments where they are asked for")
    still(qa.load_model("mini-albert").config.type_vocab_size == 2, "ALBERT's models have no two segments any more")


@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
@canary
def test_roberta_and_distilbert_have_no_segments(family):
    names = getattr(transformers, f"{family}Tokenizer").model_input_names
    still("token_type_ids" not in names, f"{family}'s tokenizer gives token_type_ids")
    pair = qa.load_tokenizer(f"mini-{family.lower()}")(QUESTION, BRIDGE)
    still("token_type_ids" not in pair, f"the tokenizer of mini-{family.lower()} gives token_type_ids")
    still(set(pair.sequence_ids()) == {None, 0, 1}, "sequence_ids() does not tell question and context apart")


@canary
def test_sequence_ids_tell_the_context_for_tokenizers_without_segments(checkpoint, examples):
    tokenizer = qa.load_tokenizer(checkpoint)
    expected = qa.make_features(examples, tokenizer, 40, 12)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]  # as RoBERTa and DistilBERT
    found = qa.make_features(examples, tokenizer, 40, 12)
    still("token_type_ids" not in found.column_names, "the tokenizer ignores model_input_names")
    for name in ("input_ids", "context_tokens", "start_positions", "end_positions"):
        still(found[name][:] == expected[name][:], f"without segments the features' {name} are others")


@pytest.mark.parametrize("name", MINI_CHECKPOINTS)
@canary
def test_offsets_include_the_leading_space_for_deberta_and_modernbert_alone(name):
    pair = own_tokenizer(name)(QUESTION, BRIDGE, return_offsets_mapping=True)
    pieces = [BRIDGE[a:b] for (a, b), side in zip(pair["offset_mapping"], pair.sequence_ids()) if side == 1]
    spaces = any(piece[:1].isspace() for piece in pieces)
    expected = name in ("mini-deberta", "mini-modernbert")
    still(spaces == expected, f"offsets of {name} {'include' if spaces else 'exclude'} the space")


@canary
def test_modernberts_head_is_more_than_a_linear_layer():
    model = qa.load_model("mini-modernbert")
    parts = [name for name, _ in model.named_children() if name != model.base_model_prefix]
    still(parts == ["head", "drop", "classifier"], f"ModernBERT's question answering head is {parts}")
    still(hasattr(model.head, "dense") and hasattr(model.head, "norm"), "ModernBERT's head has no dense layer and norm")


@canary
def test_roberta_and_deberta_1_put_two_separators_between_the_pair(tmp_path):
    from support import made_like_deberta_v1

    made_like_deberta_v1(tmp_path)
    deberta_1 = AutoTokenizer.from_pretrained(tmp_path)
    for name in MINI_CHECKPOINTS:
        found = separators(own_tokenizer(name))
        still(found == (2 if name == "mini-roberta" else 1), f"{name} puts {found} separators between the pair")
    found = separators(deberta_1)
    still(found == 2, f"DeBERTa 1 puts {found} separators between the pair")


def separators(tokenizer) -> int:
    sides = tokenizer(QUESTION, BRIDGE).sequence_ids()
    return sides[sides.index(0) : sides.index(1)].count(None)


@canary
def test_no_answer_is_labelled_by_the_cls_found_not_by_zero_where_padding_is_on_the_left(features, tokenizer):
    tokenizer.padding_side = "left"
    try:
        batch = qa.make_batch(features, tokenizer)
    finally:
        tokenizer.padding_side = "right"
    cls = batch["input_ids"] == tokenizer.cls_token_id
    empty = np.array(features["start_positions"][:]) == np.array(features["cls_index"][:])
    still(bool(cls[:, 0].logical_not().any()), 'padding_side="left" pads no row on the left')
    where = cls.float().argmax(1)
    still(torch.equal(batch["start_positions"][empty], where[empty]), "labels do not follow [CLS] behind the padding")


@canary
def test_a_question_without_room_panics_in_tokenizers_but_is_a_value_error_here(tokenizer):
    options = {"truncation": "only_second", "max_length": 40, "stride": 13, "return_overflowing_tokens": True}
    try:
        tokenizer(["why " * 24], [BELLS], **options)
    except Exception as error:
        raise Changed(f"a question without room raises {type(error).__name__}, an ordinary exception") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        still(type(error).__name__ == "PanicException", f"a question without room raises {type(error).__name__}")
    else:
        raise Changed("a question without room is taken without complaint")
    row = make_example("x", BELLS, "why " * 24)
    with pytest.raises(ValueError, match="example 'x'"):
        qa.make_features([row], tokenizer, 40, 13)


@canary
def test_leading_spaces_in_a_question_upset_only_second_truncation():
    def windows(question):
        options = {"truncation": "only_second", "max_length": 100, "stride": 30, "return_overflowing_tokens": True}
        return tokenizer(question, BELLS, **options)["input_ids"]

    changed = []
    for name in MINI_CHECKPOINTS:
        tokenizer = own_tokenizer(name)
        if windows("      " + QUESTION) != windows(QUESTION):
            changed.append(name)
    still("mini-roberta" in changed, "spaces before a question change no window any more")
    spaced, plain = make_example("x", BELLS, "      " + QUESTION), make_example("x", BELLS, QUESTION)
    for name in MINI_CHECKPOINTS:
        tokenizer = qa.load_tokenizer(name)
        both = [qa.make_features([row], tokenizer, 100, 30)["input_ids"][:] for row in (spaced, plain)]
        still(both[0] == both[1], f"spaces before a question change make_features' windows ({name})")


@canary
def test_special_tokens_in_a_text_are_read_as_special_unless_split(checkpoint):
    plain = AutoTokenizer.from_pretrained(checkpoint)
    sep = plain.sep_token_id
    still(plain("a [SEP] b").input_ids.count(sep) == 2, "a [SEP] in a text is no longer special by default")
    split = plain("a [SEP] b", split_special_tokens=True).input_ids
    still(split.count(sep) == 1, "split_special_tokens has no effect")


# Data and scores ------------------------------------------------------------------------------------------------------


@canary
def test_columns_of_a_dataset_are_lazy(examples):
    column = examples["context"]
    still(not isinstance(column, list), "columns of a Dataset are lists again")
    still(isinstance(column[:], list) and list(column) == column[:], "slicing a Column no longer gives a list")


@canary
def test_no_metric_comes_with_the_libraries():
    still(not hasattr(datasets, "load_metric"), "datasets.load_metric is back")
    if importlib.util.find_spec("evaluate"):  # no dependency; where it is installed, "squad" has to be downloaded
        import evaluate

        try:
            evaluate.load("squad")
        except Exception:
            return
        raise Changed('evaluate.load("squad") needs no download any more')


@canary
def test_the_null_score_of_several_windows_is_their_minimum():
    """What Hugging Face's example notebook gets wrong (its text is right): it keeps the maximum."""
    from support import three_windows

    examples, features, starts, ends = three_windows()
    for window, null in enumerate((4.0, -2.0, 8.0)):
        starts[window][0] = null
    found = qa.decode_answers(examples, features, starts, ends)[0].null_score
    still(found == -2.0, f"decode_answers keeps {found} of the null scores 4, -2 and 8")


# Notebooks ------------------------------------------------------------------------------------------------------------

# What nbval does with a cell, where the file "again" is only there when it compares: the cell, and what became of it.
CELLS = {
    "a progress bar on the console": (
        # Slower when it compares, or the rates that it prints might be the same by chance.
        "import os, time\nfrom tqdm import tqdm\nfor _ in tqdm(range(3)):\n"
        "    time.sleep(0.3 if os.path.exists('again') else 0.02)", "FAILED"
    ),
    "what an Output() catches": ("import ipywidgets\nbox = ipywidgets.Output()\nwith box:\n    print(1)\nbox", "FAILED"),
    "clear_output": ("from IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)", "FAILED"),
    "a new line on stderr": (
        "import os, sys\nif os.path.exists('again'):\n    print('a warning', file=sys.stderr)", "FAILED"
    ),
    "the repr behind a trailing semicolon": ("[1];", "FAILED"),
    "a png": (
        "import base64, os\nfrom IPython.display import display\n"
        "display({'image/png': base64.b64encode(os.urandom(9)).decode()}, raw=True)", "PASSED"
    ),
    "the same text": ("print('the same')", "PASSED"),
    "another text": ("import os\nprint(os.path.exists('again'))", "FAILED"),
}  # fmt: skip


@canary
def test_nbval_compares_what_notebooks_here_must_not_print(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source, _ in CELLS.values()])
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    in_folder = {"resources": {"metadata": {"path": str(tmp_path)}}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", **in_folder).execute()
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, tmp_path / "cells.ipynb")
    (tmp_path / "again").touch()
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    run = subprocess.run([*command, "cells.ipynb"], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ))
    for number, (name, (_, expected)) in enumerate(CELLS.items()):
        found = [word for word in ("PASSED", "FAILED") if f"{word} cells.ipynb::Cell {number}" in run.stdout]
        still(found == [expected], f"comparing {name} ends as {found or run.stdout[-200:]}, not {expected}")


@canary
def test_sliders_redraw_html_and_svg_not_matplotlib():
    """A matplotlib redraw is several times slower than new HTML or SVG, and a slider waits for it."""
    found = [path.name for path in (REPOSITORY / "qa_helpers" / "widgets").glob("*.py") if "matplotlib" in names(path)]
    still(not found, f"widgets draw with matplotlib: {found}")


def names(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def course_notebooks() -> list[Path]:
    return sorted((REPOSITORY / "notebooks").rglob("*.ipynb"))


@canary
def test_a_new_notebook_has_no_kernelspec_of_its_own():
    """JupyterLab asks for a kernel where the metadata name none; every notebook of the course names one."""
    new = nbformat.v4.new_notebook()
    nbformat.validate(new)
    still("kernelspec" not in new.metadata, "a new notebook has a kernelspec by itself")
    for path in course_notebooks():
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        still(metadata.get("kernelspec", {}).get("name") == "python3", f"{path.name} names no kernel")


@canary
def test_nothing_but_github_minds_widgets_without_state():
    """GitHub calls such a notebook invalid; no check here would, so the course's notebooks are looked at."""
    kind = "application/vnd.jupyter.widget-state+json"
    notebook = nbformat.v4.new_notebook(metadata={"widgets": {kind: {"version_major": 2}}})
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise Changed("validate() refuses widgets without state: it could do this test's work") from error
    for path in course_notebooks():
        widgets = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("widgets")
        still(widgets is None or widgets[kind].get("state"), f"{path.name} has widgets without state")


# The list -------------------------------------------------------------------------------------------------------------


def canaries_here() -> set[str]:
    module = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    return {f.name for f in functions if any(getattr(d, "id", "") == "canary" for d in f.decorator_list)}


def test_every_trap_has_its_test_and_every_canary_its_trap():
    listed = [trap.test for trap in TRAPS]
    assert len(set(listed)) == len(listed), "a test stands for two traps"
    assert set(listed) == canaries_here()


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.test)
def test_the_lessons_and_files_named_with_a_trap_tell_of_it(trap):
    assert trap.lessons and trap.code
    for number, text in trap.lessons.items():
        (path,) = (REPOSITORY / "notebooks").glob(f"{number}_*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        told = "\n".join("".join(cell["source"]) + " ".join(cell["metadata"].get("tags", [])) for cell in cells)
        assert text in told, f"lesson {number} does not say {text!r}"
    for name, text in trap.code.items():
        assert text in (REPOSITORY / name).read_text(encoding="utf-8"), f"{name} does not say {text!r}"


def test_a_canary_fails_with_one_line_that_names_library_change_and_lessons():
    trap = Trap("test_made_up", "nbval", {"03": "", "07": ""}, {"Makefile": ""})
    TRAPS.append(trap)
    try:

        @canary
        def test_made_up(problem):
            still(problem is None, "a png is compared\nnow")
            raise KeyError("gone")

        for problem, told in (("some", "a png is compared now"), (None, "KeyError where there was none ('gone')")):
            with pytest.raises(pytest.fail.Exception) as caught:
                test_made_up(problem)
            version = importlib.metadata.version("nbval")
            assert str(caught.value) == f"nbval {version}: {told}; mend lesson 03, lesson 07, Makefile"
            assert not caught.value.pytrace
    finally:
        TRAPS.remove(trap)
