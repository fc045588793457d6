#!/usr/bin/env python3
"""Trains liftlock-demo from scratch and writes it as GGUF. Needs `pip install torch numpy gguf sentencepiece`.

  train.py --work FOLDER [--out liftlock-demo.gguf] [--steps N] [--threads 1]

The same data, seed, thread count and versions give the same weights on one kind of machine; between kinds of machines
the order of additions differs, and with it the last bits.
"""
import argparse
import contextlib
import hashlib
import json
import math
import pathlib
import random
import time

import numpy
import sentencepiece
import torch
from torch import nn
from torch.nn import functional

import dataset
import write_gguf

HERE = pathlib.Path(__file__).parent
SEED = 20261123
SHAPE = {"vocabulary": 1536, "width": 256, "layers": 4, "heads": 4, "feed_forward": 512, "context": 1024,
         "rope_base": 10000.0, "epsilon": 1e-5}
ROW, ROWS = 256, 8
STEPS = 1600
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 4e-3, 0.1, 0.1
END, USER, ASSISTANT = 2, 3, 4


def train_tokenizer(folder):
    """A byte-pair vocabulary with byte fallback, of many questions and each answer."""
    conversations = dataset.Conversations(SEED + 1)
    lines = [topic.answer for topic in conversations.all for _ in range(20)]
    for _ in range(40_000):
        lines += [" " + question for question, _ in conversations.sample()]
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=SHAPE["vocabulary"],
        byte_fallback=True, character_coverage=1.0, normalization_rule_name="identity", add_dummy_prefix=False,
        remove_extra_whitespaces=False, split_digits=True, num_threads=1, unk_id=0, bos_id=1, eos_id=END, eos_piece="<|end|>",
        control_symbols=["<|user|>", "<|assistant|>"], input_sentence_size=0, minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def encode(conversation, tokenizer, rng=None):
    """Token ids, and for each whether it is to be learned: the answers and their ends. The chat template writes the same.
    With rng, most last answers are cut after some tokens: which answer is due is harder to learn than how it goes on."""
    ids, learned = [], []
    for question, answer in conversation:
        asked = [USER, *tokenizer.encode(" " + question), END, ASSISTANT]
        said = [*tokenizer.encode(answer), END]
        ids += asked + said
        learned += [False] * len(asked) + [True] * len(said)
    if rng is not None and rng.random() < 0.7:
        keep = len(ids) - max(0, len(said) - rng.randrange(4, 16))
        ids, learned = ids[:keep], learned[:keep]
    return ids, learned


class Batches:
    """Rows of ROW tokens, filled with whole conversations; a token sees only its own conversation."""

    def __init__(self, tokenizer, seed):
        self.tokenizer, self.conversations, self.left = tokenizer, dataset.Conversations(seed), None
        self.rng = random.Random(seed)

    def next(self):
        ids = torch.zeros(ROWS, ROW + 1, dtype=torch.long)
        learned = torch.zeros(ROWS, ROW + 1, dtype=torch.bool)
        owner = torch.zeros(ROWS, ROW + 1, dtype=torch.long)
        for row in range(ROWS):
            at = number = 0
            while True:
                piece = self.left or encode(self.conversations.sample(), self.tokenizer, self.rng)
                self.left = None
                if at + len(piece[0]) > ROW + 1:
                    self.left = piece if at > 0 else None  # one that fits no row is dropped
                    break
                number += 1
                until = at + len(piece[0])
                ids[row, at:until], learned[row, at:until], owner[row, at:until] = torch.tensor(piece[0]), torch.tensor(piece[1]), number
                at = until
        same = owner[:, :-1, None] == owner[:, None, :-1]
        mask = (same & torch.ones(ROW, ROW, dtype=torch.bool).tril())[:, None]
        return ids[:, :-1], ids[:, 1:], learned[:, 1:], mask


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return functional.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), SHAPE["epsilon"])


class Block(nn.Module):
    """One layer as llama.cpp's architecture `llama` has it; the rotary embedding turns neighbouring pairs."""

    def __init__(self):
        super().__init__()
        width, wide = SHAPE["width"], SHAPE["feed_forward"]
        self.attn_norm, self.ffn_norm = Norm(width), Norm(width)
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.ffn_gate, self.ffn_up = (nn.Linear(width, wide, bias=False) for _ in range(2))
        self.ffn_down = nn.Linear(wide, width, bias=False)

    def forward(self, x, turn, mask):
        rows, length, width = x.shape
        y = self.attn_norm(x)
        q, k, v = (part(y).view(rows, length, SHAPE["heads"], -1).transpose(1, 2) for part in (self.attn_q, self.attn_k, self.attn_v))
        y = functional.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, attn_mask=mask)
        x = x + functional.dropout(self.attn_output(y.transpose(1, 2).reshape(rows, length, width)), DROPOUT, self.training)
        y = self.ffn_norm(x)
        y = self.ffn_down(functional.silu(self.ffn_gate(y)) * self.ffn_up(y))
        return x + functional.dropout(y, DROPOUT, self.training)


def turning(length):
    size = SHAPE["width"] // SHAPE["heads"]
    speed = SHAPE["rope_base"] ** (-torch.arange(0, size, 2).float() / size)
    angle = torch.arange(length).float()[:, None] * speed
    return angle.cos(), angle.sin()


def rotate(x, turn):
    cos, sin = (each.to(x.dtype) for each in turn)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(SHAPE["vocabulary"], SHAPE["width"])
        self.blk = nn.ModuleList(Block() for _ in range(SHAPE["layers"]))
        self.output_norm = Norm(SHAPE["width"])
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * SHAPE["layers"]) if "output." in name or "down" in name else 1))

    def forward(self, ids, mask, wanted=None):
        x = functional.dropout(self.token_embd(ids), DROPOUT, self.training)
        turn = turning(ids.shape[1])
        for block in self.blk:
            x = block(x, turn, mask)
        x = self.output_norm(x)
        return functional.linear(x if wanted is None else x[wanted], self.token_embd.weight)


def train(model, batches, steps, folder):
    matrices = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "embd" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.dim() != 2 or "embd" in name]
    optimizers = [torch.optim.Muon(matrices, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
                  torch.optim.AdamW(others, lr=LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.98))]
    # Half precision is quicker where the processor has it, and loses nothing here.
    half = torch.autocast("cpu", torch.bfloat16) if torch.backends.mkldnn.is_available() else contextlib.nullcontext()
    started, sums = time.time(), []
    for step in range(steps):
        share = step / steps
        rate = LEARNING_RATE * min(1.0, (step + 1) / 40) * (1.0 if share < 0.4 else max(0.02, (1 - share) / 0.6))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        ids, following, learned, mask = batches.next()
        with half:
            logits = model(ids, mask, learned)
        loss = functional.cross_entropy(logits.float(), following[learned])
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        sums.append(loss.item())
        if step % 20 == 19 or step == steps - 1:
            print(f"step {step + 1} of {steps}: loss {sum(sums[-20:]) / len(sums[-20:]):.4f}, {time.time() - started:.0f} s", flush=True)
        if step % 200 == 199:
            torch.save(model.state_dict(), folder / "model.pt")
    return sum(sums[-50:]) / len(sums[-50:])


def unseen_loss(model, tokenizer):
    """On conversations of another seed: the same topics, other words."""
    model.eval()
    batches, total, count = Batches(tokenizer, SEED + 3), 0.0, 0
    with torch.no_grad():
        for _ in range(6):
            ids, following, learned, mask = batches.next()
            total += functional.cross_entropy(model(ids, mask, learned), following[learned], reduction="sum").item()
            count += int(learned.sum())
    return total / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the tokenizer, checkpoints and numbers")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "liftlock-demo.gguf")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    random.seed(SEED), numpy.random.seed(SEED), torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)

    tokenizer = train_tokenizer(arguments.work)
    model = Model()
    print(f"{sum(weight.numel() for weight in model.parameters())} parameters", flush=True)
    started = time.time()
    last = train(model, Batches(tokenizer, SEED + 2), arguments.steps, arguments.work)
    torch.save(model.state_dict(), arguments.work / "model.pt")
    unseen = unseen_loss(model, tokenizer)
    write_gguf.write(arguments.out, SHAPE, tokenizer, {name: weight.detach().float().numpy() for name, weight in model.named_parameters()})
    data = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in (*dataset.FILES, "dataset.py"))).hexdigest()
    numbers = {"data_sha256": data, "loss": round(last, 4), "loss_other_seed": round(unseen, 4), "minutes": round((time.time() - started) / 60, 1),
               "parameters": sum(weight.numel() for weight in model.parameters()), "sha256": hashlib.sha256(arguments.out.read_bytes()).hexdigest(),
               "size": arguments.out.stat().st_size, "steps": arguments.steps, "tokens": arguments.steps * ROW * ROWS, "torch": torch.__version__}
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
