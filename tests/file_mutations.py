"""Damage done to files: seeded, so that (kind, number) names one damaged file for ever."""

import json
import random
import re

TOKENS = re.compile(rb'"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|[\[\]{}:,]')
NUMBERS = [
    b"1e400",
    b"-0",
    b"12.0",
    b"9" * 5000,
    b"4294967296",
    b"-1",
    b"NaN",
    b"Infinity",
    b"1E2",
    b"00",
    b"2147483648",
]
STRANGE = [
    None,
    True,
    False,
    0,
    -1,
    12.0,
    2**31,
    2**70,
    "",
    " ",
    "12",
    "\ud800",
    "\x00",
    [],
    {},
    [[]],
    [None],
    {"text": []},
]


def flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_to_text(rng, data):
    """Another printable character for one, so that the file often stays well-formed."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(32, 127)]) + data[at + 1 :]


def truncate(rng, data):
    """A cut in any part of the file, and often near its end."""
    back = rng.choice([rng.randrange(len(data)), rng.randrange(min(len(data), 40))])
    return data[: len(data) - 1 - back]


def behead(rng, data):
    return data[rng.randrange(1, len(data)) :]


def delete(rng, data):
    start, size = _chunk(rng, data)
    return data[:start] + data[start + size :]


def duplicate(rng, data):
    start, size = _chunk(rng, data)
    return data[: start + size] + data[start:]


def move(rng, data):
    start, size = _chunk(rng, data)
    chunk, rest = data[start : start + size], data[:start] + data[start + size :]
    at = rng.randrange(len(rest) + 1)
    return rest[:at] + chunk + rest[at:]


def noise(rng, data):
    start, size = _chunk(rng, data)
    return data[:start] + rng.randbytes(min(size, 64)) + data[start + size :]


def zeros(rng, data):
    """What a file system may leave after a crash."""
    start, size = _chunk(rng, data)
    return data[:start] + bytes(min(size, len(data) - start)) + data[start + size :]


def swap_tokens(rng, data):
    found = list(TOKENS.finditer(data))
    if len(found) < 2:
        return flip(rng, data)
    one, other = sorted(rng.sample(found, 2), key=lambda match: match.start())
    return data[: one.start()] + other[0] + data[one.end() : other.start()] + one[0] + data[other.end() :]


def change_number(rng, data):
    found = list(re.finditer(rb"-?\d+", data))
    if not found:
        return noise(rng, data)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(NUMBERS) + data[match.end() :]


def nest(rng, data):
    at, depth = rng.randrange(len(data)), rng.choice([1, 3, 100, 990, 2000, 100_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"-", b"")])
    end = rng.choice([at, rng.randrange(at, len(data))])
    return data[:at] + opening * depth + data[at:end] + closing * (depth - rng.choice([0, 0, 1])) + data[end:]


def recode(rng, data):
    text = data.decode("utf-8-sig")
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-7", "utf-8-sig"])
    return rng.choice([b"", b"", b"\xef\xbb\xbf"]) + text.encode(encoding, "replace")


def change_line_ends(rng, data):
    return data.replace(b"\r\n", b"\n").replace(
        b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\n \n", "\u2028".encode()])
    )


def end_with(rng, data):
    return data + rng.choice([b"\n", b"\n\n", b" ", b"\x00", b"\xef\xbb\xbf", b"}", b"null", b"\x1a", b"\r\n", data])


def change_node(rng, data):
    """Something else for one value of the JSON tree (of one line of it): another type, another node, or nothing."""
    lines = data.decode("utf-8-sig").split("\n")
    if data.lstrip(b"\xef\xbb\xbf")[:1] not in (b"{", b"["):
        return flip_to_text(rng, data)
    whole = len([line for line in lines if line.strip()]) == 1 or not lines[0].strip().endswith("}")
    at = 0 if whole else rng.choice([k for k, line in enumerate(lines) if line.strip()])
    tree = json.loads("\n".join(lines) if whole else lines[at])
    for _ in range(rng.choice([1, 1, 1, 3])):
        parents = [node for node in _nodes(tree) if isinstance(node, (dict, list)) and node]
        if not parents:
            break
        parent = rng.choice(parents)
        key = rng.choice(list(parent)) if isinstance(parent, dict) else rng.randrange(len(parent))
        action = rng.randrange(5)
        if action == 0:
            del parent[key]
        elif action == 1:
            parent[key] = json.loads(json.dumps(rng.choice(list(_nodes(tree)))))
        elif action == 2 and isinstance(parent, dict):
            parent[rng.choice(["extra", "answers", "is_impossible", "id", "title", key + " "])] = parent.pop(key)
        elif action == 2:
            parent.append(json.loads(json.dumps(parent[key])))
        else:
            parent[key] = rng.choice(STRANGE)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.7)
    text = text if whole else "\n".join([*lines[:at], text, *lines[at + 1 :]])
    return text.encode("utf-8", "surrogatepass")


ANY = [flip, flip_to_text, truncate, truncate, behead, delete, duplicate, move, noise, zeros, end_with]
TEXT = [
    *ANY,
    swap_tokens,
    swap_tokens,
    change_number,
    change_number,
    nest,
    recode,
    change_line_ends,
    change_node,
    change_node,
]


def mutate(number: int, kind: str, data: bytes, mutators: list) -> tuple[str, bytes]:
    """(name of what was done, damaged data); the same for the same number and kind."""
    rng = random.Random(f"{kind} {number}")
    mutator = mutators[number % len(mutators)]
    changed = mutator(rng, data)
    if rng.random() < 0.15 and changed:
        second = rng.choice(ANY)
        return f"{mutator.__name__}, {second.__name__}", second(rng, changed)
    return mutator.__name__, changed


def _chunk(rng, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(rng.choice([1, 1, 4, 16, 64, len(data) // 3]) or 1, len(data))


def _nodes(tree):
    yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)
