"""Lesson 05, the model: splitting logits, attention with padding, a gradient as a formula, counting parameters."""

from types import SimpleNamespace

from . import Wrong, call, checker, judge_each


def _tensor(found, shape: tuple[int, ...], what: str):
    """``found`` as a float tensor of the expected shape; otherwise Wrong, with what type and shape say about the mistake."""
    import torch

    if isinstance(found, (list, tuple)) and found and all(isinstance(part, torch.Tensor) for part in found):
        raise Wrong(f"you return {len(found)} tensors; return one tensor. torch.stack puts them together")
    if not isinstance(found, torch.Tensor):
        raise Wrong(f"you return {type(found).__name__}; return a tensor of shape {shape}, {what}")
    if tuple(found.shape) != shape:
        raise Wrong(f"the result has shape {tuple(found.shape)}; it should be {shape}, {what}")
    return found.detach().float()


@checker("5.1")
def check_separate(separate) -> str:
    """``separate(logits)``: (batch, sequence, 2) → (2, batch, sequence), every number with its window and token."""
    import torch

    def judge(batch: int, sequence: int) -> None:
        # Every number says where it belongs: 112 is window 1, token 1, and the end (2; the start is 1).
        window, token, side = torch.meshgrid(
            torch.arange(batch), torch.arange(sequence), torch.arange(2), indexing="ij"
        )
        logits = (100 * window + 10 * token + side + 1).float()
        wanted = logits.permute(2, 0, 1)
        found = call(separate, logits.clone())
        if isinstance(found, torch.Tensor) and found.shape != wanted.shape:
            shape = tuple(found.shape)
            if shape == (2, batch, sequence, 1):
                raise Wrong(f"shape {shape}: squeeze away the axis of length 1 that split leaves", 0.7)
            if batch == 1 and shape == (2, sequence):
                raise Wrong(
                    f"shape {shape} for a batch of 1: squeeze removes every axis of length 1 unless you name one"
                )
            if shape == (2, sequence, batch):
                raise Wrong(
                    f"shape {shape} for a batch of {batch} with {sequence} tokens: window and token have changed "
                    "places. The batch axis comes before the sequence axis",
                    0.5,
                )
            if shape == (batch, sequence, 2):
                raise Wrong(f"shape {shape}: start and end are still on the last axis; move them to the front", 0.1)
            if shape == (batch, 2, sequence):
                raise Wrong(
                    f"shape {shape}: start and end are on the second axis; stack them on the first (dim=0)", 0.5
                )
        values = _tensor(found, (2, batch, sequence), "(start and end, batch, sequence)")
        if torch.equal(values, wanted):
            return
        if torch.equal(values, wanted.flip(0)):
            raise Wrong("the end logits come first; index 0 of the last axis is the start", 0.7)
        if torch.equal(values, wanted.transpose(1, 2)):
            raise Wrong("window and token have changed places; the batch axis comes before the sequence axis", 0.5)
        if torch.equal(values.flatten().sort().values, wanted.flatten().sort().values):
            raise Wrong(
                f"the shape is right, but the numbers are not where they belong: the start logits of window 0 should be "
                f"{wanted[0, 0].tolist()}, you have {values[0, 0].tolist()}. view and reshape read the memory in "
                "order; select along an axis instead",
                0.3,
            )
        raise Wrong(
            f"the start logits of window 0 should be {wanted[0, 0].tolist()}, but are {values[0, 0].tolist()}", 0.2
        )

    judge_each([(3, 4), (1, 6), (2, 2)], judge, "batches")
    return "right: every number stays with its window and token"


@checker("5.2")
def check_attention_weights(attention_weights) -> str:
    """``attention_weights(query, key, mask)``: (sequence, size) ×2 and (sequence,) → (sequence, sequence)."""
    import torch

    generator = torch.Generator().manual_seed(5)
    cases = [(6, 16, 4), (5, 16, 5), (4, 9, 1)]  # tokens, size, how many of them are not padding

    def judge(sequence: int, size: int, real: int) -> None:
        query, key = (2 * torch.randn(sequence, size, generator=generator) for _ in range(2))
        mask = (torch.arange(sequence) < real).long()
        shut = mask == 0
        scores = query @ key.T
        masked = (scores / size**0.5).masked_fill(shut, -torch.inf)
        right = masked.softmax(dim=-1)
        found = call(attention_weights, query.clone(), key.clone(), mask.clone())
        values = _tensor(found, (sequence, sequence), "(sequence, sequence)")[:real]

        def like(other, values=values, real=real) -> bool:
            return torch.allclose(values, other[:real], atol=1e-4, equal_nan=True)

        if like(right):
            return
        if like(masked):
            raise Wrong("these are the masked scores; the softmax that makes weights of them is missing", 0.5)
        if real < sequence and not values.isnan().any() and values[:, :real].abs().max() < 1e-4:
            raise Wrong(
                f"the mask is the wrong way round: with mask {mask.tolist()} the tokens get no weight and padding gets all "
                "of it. The mask is 0 at padding, so fill where `mask == 0`",
                0.5,
            )
        padded_columns = scores.masked_fill(shut, -torch.finfo().max)
        if like(masked.softmax(dim=0)) or like((padded_columns / size**0.5).softmax(dim=0)):
            raise Wrong(
                "the columns sum to 1, not the rows. Apply the softmax over dim=-1: row i holds what token i gives", 0.4
            )
        if values.isnan().any():
            raise Wrong(
                f"with mask {mask.tolist()} the rows of tokens hold nan. Infinity times 0 is nan, so if you multiply the mask "
                "by -inf, use masked_fill instead. A row in which every score is -inf becomes nan as well"
            )
        plain = (scores / size**0.5).softmax(dim=-1)
        if like((scores / size).masked_fill(shut, -torch.inf).softmax(dim=-1)):
            raise Wrong("you divide by the size; divide by its square root", 0.7)
        if like(scores.masked_fill(shut, -torch.inf).softmax(dim=-1)):
            raise Wrong("the scores are not divided by the square root of the size, so the weights are too sharp", 0.7)
        if like((scores.T / size**0.5).masked_fill(shut, -torch.inf).softmax(dim=-1)):
            raise Wrong(
                "query and key have changed places: row i compares the query of token i with the keys of all tokens",
                0.5,
            )
        if real < sequence and like(plain * mask):
            raise Wrong(
                "padding gets no weight, but the rows no longer sum to 1: you remove padding after the softmax. Set its "
                "scores to -inf before the softmax",
                0.8,
            )
        if real < sequence and like((scores / size**0.5 * mask).softmax(dim=-1)):
            raise Wrong("you multiply scores by the mask. A score of 0 still gets weight; -inf gets none", 0.7)
        if real < sequence and (like(plain) or values[:, real:].abs().max() > 1e-4):
            raise Wrong(f"padding gets weight: with mask {mask.tolist()} the last columns must be 0", 0.6)
        raise Wrong(
            f"with {real} of {sequence} tokens real the first row should be {_short(right[0])}, but is {_short(values[0])}"
        )

    judge_each(cases, judge, "windows")
    return "right, with padding and without: each token gives away 1, and padding gets none of it"


@checker("5.3")
def check_gradient_of_span_loss(gradient_of_span_loss) -> str:
    """``gradient_of_span_loss(logits, positions)``: gradient of the mean cross-entropy, ignored rows left out."""
    import torch

    from ...model import span_loss

    generator = torch.Generator().manual_seed(6)
    cases = [(4, 6, [0, 5, 2, 2]), (4, 6, [1, 6, 3, 99]), (3, 5, [77, 4, -2]), (1, 7, [3]), (2, 4, [4, 9])]

    def judge(batch: int, sequence: int, labels: list[int]) -> None:
        logits = 2 * torch.randn(batch, sequence, generator=generator)
        positions = torch.tensor(labels)
        traced = logits.clone().requires_grad_()
        span_loss(traced, positions).backward()
        right = traced.grad
        inside = positions.clamp(0, sequence) != sequence
        no_row = (
            "all lie outside, so no row counts and you divide by 0. The gradient is zero then, as at the end of section 7: "
            "divide by at least 1"
        )
        try:
            found = call(gradient_of_span_loss, logits.clone(), positions.clone())
        except (RuntimeError, IndexError, ZeroDivisionError) as error:
            if inside.all():
                raise
            if isinstance(error, ZeroDivisionError):
                raise Wrong(f"labels {labels}: {no_row}") from None
            raise Wrong(
                f"labels {labels} for {sequence} tokens raise {type(error).__name__}. Clamp them as span_loss does, and "
                "leave the rows outside at zero"
            ) from None
        values = _tensor(found, (batch, sequence), "that of the logits")
        kept, rows = int(inside.sum()), torch.arange(batch)

        def like(other, values=values) -> bool:
            return torch.allclose(values, other, atol=1e-5)

        if like(right):
            return
        if not kept and not values.isfinite().all():
            raise Wrong(f"labels {labels}: {no_row}")
        if values.isnan().any():
            raise Wrong(
                f"labels {labels} give nan; use softmax, which does not overflow, and divide by a number above 0"
            )
        probability, truth = logits.softmax(dim=-1), _truth(positions, sequence, torch)
        if like(-right):
            raise Wrong("the sign is reversed: it is probability minus truth, not truth minus probability", 0.7)
        if like(right * kept):
            raise Wrong("the loss is a mean, so divide the gradient by the number of rows that count", 0.7)
        if kept == batch and like(right / 2):
            raise Wrong("the 2 in the lesson's divisor is for start and end; here there is only one of them", 0.8)
        if like(probability / kept):
            raise Wrong("you return probabilities; subtract the truth, which is 1 at the label", 0.4)
        if like((logits.softmax(dim=0) - truth) / batch):
            raise Wrong(
                "your softmax runs over the windows (dim=0), but the tokens of one window compete (dim=-1)", 0.4
            )
        if min(labels) < 0:
            counted = inside & (positions >= 0)
            if like((probability - truth) * counted[:, None] / counted.sum()):
                raise Wrong(
                    f"labels {labels}: you ignore the negative label. span_loss clamps it to 0, so its row counts; only "
                    f"labels from {sequence} on are ignored",
                    0.8,
                )
            from_the_end = _truth(positions.where(positions >= 0, positions + sequence), sequence, torch)
            if like((probability - from_the_end) * inside[:, None] / kept):
                raise Wrong(
                    f"labels {labels}: as an index, {min(labels)} counts from the end of the row. span_loss clamps it to 0",
                    0.8,
                )
        if kept < batch and like(right * kept / batch):
            raise Wrong(
                f"labels {labels}: {kept} of {batch} rows count, so divide by {kept}. The mean is over the rows that are "
                "not ignored",
                0.8,
            )
        if kept < batch and values[~inside].abs().max() > 1e-6:
            raise Wrong(
                f"labels {labels}: row {int(rows[~inside][0])} lies outside and is ignored, so its gradient is zero",
                0.6,
            )
        row = int((values - right).abs().amax(dim=1).argmax())
        wanted, given = _told_apart(right[row], values[row])
        raise Wrong(f"labels {labels}: row {row} should be {wanted}, but is {given}")

    judge_each(cases, judge, "batches")
    return "right: the same as autograd, and zero for ignored rows"


def _truth(positions, sequence: int, torch):
    return torch.nn.functional.one_hot(positions.clamp(0, sequence), sequence + 1)[:, :sequence]


@checker("5.4")
def check_count_parameters(count_parameters) -> str:
    """``count_parameters(config)``: parameters of a BERT for question answering, from its configuration."""
    base = {"vocab_size": 28_996, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
            "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2}  # fmt: skip
    small = {"vocab_size": 101, "hidden_size": 20, "num_hidden_layers": 3, "num_attention_heads": 4,
             "intermediate_size": 50, "max_position_embeddings": 33, "type_vocab_size": 2}  # fmt: skip
    cases = [base, small, small | {"num_hidden_layers": 1}, small | {"num_attention_heads": 5, "type_vocab_size": 1}]

    def judge(numbers: dict) -> None:
        config = SimpleNamespace(**numbers)
        given = call(count_parameters, config)
        if isinstance(given, float) and given.is_integer():
            given = int(given)
        right = _count(config)
        if given == right:
            return
        if not isinstance(given, int):
            raise Wrong(f"you return {given!r}; return a whole number")
        for hint, part in _parts(config).items():
            if part and given == right - part:
                raise Wrong(f"{given:,} instead of {right:,}: {hint} missing", 0.8)
        hidden = config.hidden_size
        if given == right + hidden * (hidden + 1):
            raise Wrong(f"{given:,} instead of {right:,}: you count the pooler, which this model does not have", 0.8)
        if given == _count(SimpleNamespace(**numbers | {"num_hidden_layers": 1})):
            raise Wrong(
                f"{given:,} instead of {right:,}: you count one layer; there are num_hidden_layers of them", 0.7
            )
        heads = numbers["num_attention_heads"]
        if heads and given > right and (given - right) % (heads - 1) == 0:
            attention = 4 * hidden * (hidden + 1) * config.num_hidden_layers
            if given - right in {attention * (heads - 1), attention * 3 // 4 * (heads - 1)}:
                raise Wrong(
                    f"{given:,} instead of {right:,}: you multiply by the number of heads. They share the hidden size "
                    "among themselves, so their number does not matter",
                    0.7,
                )
        raise Wrong(
            f"for {numbers} you count {given:,}, but there are {right:,}: {abs(right - given):,} too "
            f"{'few' if given < right else 'many'}",
            0.2,
        )

    judge_each([(numbers,) for numbers in cases], judge, "configurations")
    return (
        "right for every size; the number of heads does not matter, since they share the hidden size among themselves"
    )


def _parts(config) -> dict[str, int]:
    """What is easily forgotten → how many parameters it has. (Of two with the same number, the first is named.)"""
    hidden, layers, wide = config.hidden_size, config.num_hidden_layers, config.intermediate_size
    constants = layers * (5 * hidden + wide)
    norms = layers * 4 * hidden
    return {
        "the head (2 · hidden weights and 2 constants) is": 2 * hidden + 2,
        "the head's 2 constants are": 2,
        "the head and the LayerNorm of the embeddings are": 4 * hidden + 2,
        "the LayerNorm of the embeddings is": 2 * hidden,
        "the LayerNorms of the layers (two in each) are": norms,
        "one of the two LayerNorms of each layer is": norms // 2,
        "all LayerNorms (two in each layer, one after the embeddings) are": norms + 2 * hidden,
        "the constants (biases) of the linear layers are": constants,
        "the constants (biases) of all linear layers, the head's too, are": constants + 2,
        "the constants and the LayerNorms are": constants + 2 + norms + 2 * hidden,
        "the table of positions is": config.max_position_embeddings * hidden,
        "the tables of positions and segments are": (config.max_position_embeddings + config.type_vocab_size) * hidden,
        "the linear layer that joins the heads (the fourth of each attention) is": layers * hidden * (hidden + 1),
        "the way back in the feed-forward part (intermediate to hidden) is": layers * (wide + 1) * hidden,
        "the table of tokens is": config.vocab_size * hidden,
    }


def _count(config) -> int:
    hidden, wide = config.hidden_size, config.intermediate_size
    tables = (config.vocab_size + config.max_position_embeddings + config.type_vocab_size) * hidden + 2 * hidden
    attention = 4 * hidden * (hidden + 1) + 2 * hidden
    feed_forward = (hidden + 1) * wide + (wide + 1) * hidden + 2 * hidden
    return tables + config.num_hidden_layers * (attention + feed_forward) + 2 * hidden + 2


def _short(row, digits: int = 3) -> str:
    return "[" + ", ".join(f"{value:.{digits}f}" for value in row.tolist()) + "]"


def _told_apart(wanted, given) -> tuple[str, str]:
    """Two rows, with as many digits as it takes to see a difference."""
    pairs = ((_short(wanted, digits), _short(given, digits)) for digits in range(3, 8))
    return next((pair for pair in pairs if pair[0] != pair[1]), (_short(wanted, 8), _short(given, 8)))
