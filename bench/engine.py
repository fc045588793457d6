#!/usr/bin/env python3
"""The gateway before a real engine: the demo model on llama-server, asked over the bare engine's own socket and through `liftlock serve`
with the full record, in interleaved rounds over kept connections. Whole answers one at a time, whole answers with every slot busy, and streams.

usage: engine.py BUILD_FOLDER WORK_FOLDER [--requests N] [--rounds N]

Needs what load.py needs: the machine's Debian mirror for the engine (suite forky) and bubblewrap.
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import load  # noqa: E402
import measure  # noqa: E402

MODEL = load.SOURCE / "models/demo/liftlock-demo.gguf"
CONTEXT, END = 1024, 2  # of the demo model: what it was trained with, and the token that ends an answer
TOKENS = 48
BODY = {"model": "big", "temperature": 0, "max_tokens": TOKENS, "logit_bias": {str(END): -100},  # so all answers are as long
        "messages": [{"role": "user", "content": "What is Liftlock?"}]}


class Client:
    def __init__(self, connection, headers):
        self.connection, self.headers = connection, {"Content-Type": "application/json", **headers}

    def sent(self, more):
        self.connection.request("POST", "/v1/chat/completions", json.dumps(BODY | more), self.headers)
        return self.connection.getresponse()

    def ask(self, **more):
        try:
            answer = self.sent(more)
        except http.client.RemoteDisconnected:  # llama-server ends a connection after a stream or a number of requests, without a word
            self.connection.close()
            answer = self.sent(more)
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {answer.read()}")
        return answer

    def whole(self):
        start = time.monotonic()
        said = json.loads(self.ask().read())
        if said["usage"]["completion_tokens"] != TOKENS:
            raise SystemExit(f"an answer of another length: {said}")
        return time.monotonic() - start

    def stream(self):
        """Seconds to the first event with text, and from one to the next."""
        start = time.monotonic()
        events = [time.monotonic() for line in self.ask(stream=True) if line.startswith(b"data: {") and b'"content":"' in line]
        return events[0] - start, (events[-1] - events[0]) / (len(events) - 1)


def together(clients, count):
    """Tokens a second, each client with one request at a time."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda client: [client.whole() for _ in range(count)], clients))
    return len(clients) * count * TOKENS / (time.monotonic() - start)


def measured(clients, count, into):
    into["whole answer, ms"] += [1000 * clients[0].whole() for _ in range(count)]
    streams = [clients[0].stream() for _ in range(count)]
    into["first token, ms"] += [1000 * first for first, _ in streams]
    into["between tokens, ms"] += [1000 * between for _, between in streams]
    into[f"{len(clients)} at a time, tokens/s"].append(together(clients, count))


def main():
    args = measure.arguments(requests=50, rounds=3)
    site = load.Site(args.build, args.work, MODEL)
    rows = ["whole answer, ms", "first token, ms", "between tokens, ms", f"{load.SLOTS} at a time, tokens/s"]
    found = {name: {row: [] for row in rows} for name in ("direct", "gateway")}
    with site.bare_engine(CONTEXT) as path, site.serving("recheck_models = true") as port:
        key = {"Authorization": f"Bearer {site.key}"}
        ways = {"direct": [Client(load.UnixConnection(path), {}) for _ in range(load.SLOTS)],
                "gateway": [Client(http.client.HTTPConnection("127.0.0.1", int(port)), key) for _ in range(load.SLOTS)]}
        for clients in ways.values():  # loads the model, and fills the engine's cache of prompts in each slot
            together(clients, 5)
        for _ in range(args.rounds):
            for name, clients in ways.items():
                measured(clients, args.requests, found[name])
    print(f"{TOKENS} tokens each, {args.rounds} rounds of {args.requests}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for row in rows:
        direct, gateway = (sorted(found[name][row]) for name in ("direct", "gateway"))
        p50 = [statistics.median(values) for values in (direct, gateway)]
        p99 = [values[int(0.99 * (len(values) - 1))] for values in (direct, gateway)]
        print(f"  {row:28} direct {p50[0]:9.3f}  gateway {p50[1]:9.3f}  {p50[1] / p50[0]:5.2f} x   p99 {p99[0]:9.3f}  {p99[1]:9.3f}")


if __name__ == "__main__":
    main()
