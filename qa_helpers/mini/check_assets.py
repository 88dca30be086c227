"""Checks the corpus assets and reports each fault with file, fact and line of text, for whoever wrote it."""

import re
from collections import Counter
from pathlib import Path

import yaml

from .fact_values import DATED, TYPES
from .grammar import CLOSE, OPEN, Kind, Slot, parse

AT_LEAST = {"phrasings": 8, "questions": 5, "options": 10, "joint": 8, "openings": 8, "asides": 10}
_GENDERED = re.compile(r"\b(Mrs|Mr|Miss|Ms|Sir|Lady|Lord|Dame|Madame|Monsieur|Herr|Frau)\.? $")


def faults(folder: Path, kinds: list[str] | None = None) -> list[str]:
    """Every fault in the asset files of ``folder``, as "file: fact: what is wrong: the line"; empty if all is well."""
    found = []
    shared = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8")).get("asides", {})
    for path in sorted(folder.glob("*.yaml")):
        if path.name == "values.yaml" or (kinds and path.stem not in kinds):
            continue
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            found.append(f"{path.name}: not valid YAML: {error}")
            continue
        faults_here = [f"{path.name}: {fault}" for fault in _kind_faults(raw)]
        if not faults_here:
            try:  # the only faults left are in the shared asides of values.yaml
                Kind.read(path.name, raw, shared)
            except ValueError as error:
                faults_here.append(str(error))
        found += faults_here
    return list(dict.fromkeys(found))


def _kind_faults(raw: dict) -> list[str]:
    found = [f"lacks `{key}:`" for key in ("noun", "names", "facts", "joint", "openings", "asides") if not raw.get(key)]
    if found:
        return found
    facts, lists = raw["facts"], raw.get("lists", {})
    unknown = {fact: spec.get("value") for fact, spec in facts.items() if spec.get("value") not in {*TYPES, "choice"}}
    if unknown:
        return [f"{fact}: unknown value type {kind!r}" for fact, kind in unknown.items()]
    if len(facts) < 8:
        found.append(f"facts: {len(facts)} facts, at least 8 are needed")

    def lines(where, texts, least=0, known=facts):
        """Parse lines; faults that any kind of line may have are added to ``found``."""
        texts = texts or []
        if len(texts) < least:
            found.append(f"{where}: {len(texts)} lines, at least {least} are needed")
        parsed = []
        for text in texts:
            try:
                line = parse(text, known, lists)
            except ValueError as error:
                found.append(f"{where}: {str(error).removeprefix(': ')}")
                continue
            found.extend(f"{where}: {fault} in {text!r}" for fault in _line_faults(line, facts))
            parsed.append(line)
        return parsed

    def prose(where, texts, least):
        parsed = lines(where, texts, least)
        for line in parsed:
            if not re.search(r"[.!?][”’)]?$", line.text):
                found.append(f"{where}: no full stop at the end of {line.text!r}")
        return parsed

    lines("names", raw["names"], 1, {})
    for line in prose("openings", raw["openings"], AT_LEAST["openings"]):
        if not _slots(line, "name"):
            found.append(f"openings: lacks {{name}}: {line.text!r}")
    for line in prose("joint", raw["joint"], AT_LEAST["joint"]):
        if len(line.states) < 2:
            found.append(f"joint: states fewer than two facts: {line.text!r}")
    prose("asides", raw["asides"], AT_LEAST["asides"])
    asked = Counter(question for spec in facts.values() for question in {*spec.get("questions", [])})
    found += [f"questions: the same question for two facts: {text!r}" for text, times in asked.items() if times > 1]
    for fact, spec in facts.items():
        found += [f"{fact}: {fault}" for fault in _spec_faults(fact, spec, facts)]
        if spec["value"] == "choice":
            for line in lines(f"{fact}.options", spec.get("options"), AT_LEAST["options"], {}):
                if OPEN in line.pieces and line.pieces[0] is not OPEN and line.pieces[-1] is not CLOSE:
                    found.append(f"{fact}.options: brackets must be at the beginning or the end: {line.text!r}")
        for line in prose(f"{fact}.phrasings", spec.get("phrasings"), AT_LEAST["phrasings"]):
            if fact not in line.states:
                found.append(f"{fact}.phrasings: lacks {{{fact}}}: {line.text!r}")
        for line in lines(f"{fact}.questions", spec.get("questions"), AT_LEAST["questions"]):
            if not _slots(line, "name"):
                found.append(f"{fact}.questions: lacks {{name}}: {line.text!r}")
            if fact in line.states | line.needs:
                found.append(f"{fact}.questions: gives its own answer away: {line.text!r}")
            if not line.text.endswith("?"):
                found.append(f"{fact}.questions: does not end in a question mark: {line.text!r}")
    return found


def _slots(line, role: str) -> list:
    return [piece for piece in line.pieces if isinstance(piece, Slot) and piece.role == role]


def _line_faults(line, facts: dict) -> list[str]:
    found = []
    if "  " in line.text or line.text != line.text.strip():
        found.append("stray spaces")
    for before, piece, after in zip(("", *line.pieces), line.pieces, (*line.pieces[1:], ""), strict=False):
        if isinstance(piece, Slot) and piece.role == "value" and piece.key in TYPES and facts and line.states:
            found.append(f"{{{piece.key}}} is a type; write {{other {piece.key}}}")
        if isinstance(before, str) and isinstance(piece, Slot) and _GENDERED.search(before):
            spec = facts.get(piece.key, {}) if piece.role == "fact" else {}
            if "gender" not in spec and not piece.part:
                found.append("a title for one gender before a person of either gender")
        if piece is OPEN and after is CLOSE:
            found.append("empty brackets")
    return found


def _spec_faults(fact: str, spec: dict, facts: dict) -> list[str]:
    found = []
    if "range" in spec:
        numbers = spec["range"]
        fine = isinstance(numbers, list) and len(numbers) == 2 and all(isinstance(n, (int, float)) for n in numbers)
        if not fine or numbers[0] >= numbers[1]:
            found.append(f"range must be [low, high], not {numbers!r}")
    followed = facts.get(spec.get("after"), {})
    if "after" in spec and not (spec["value"] in DATED and followed.get("value") in DATED and "range" in spec):
        found.append("`after:` needs a year or date here, another one to follow, and `range: [low, high]` in years")
    if spec.get("gender", "female") not in ("female", "male"):
        found.append(f"gender must be female or male, not {spec['gender']!r}")
    return found
