"""The clients of gateway_test.sh. usage: gateway_clients.py URL KEY OTHER_KEY FILE_FOR_THE_RECORD_ID"""
import json
import sys
import urllib.error
import urllib.request

import ollama
import openai

url, key, other_key, id_file = sys.argv[1:]
question = [{"role": "user", "content": "What is Liftlock?"}]
client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)

assert [model.id for model in client.models.list()] == ["demo", "vectors"]
assert client.models.retrieve("demo").id == "demo"

whole = client.chat.completions.with_raw_response.create(model="demo", messages=question, temperature=0, max_tokens=100)
open(id_file, "w").write(whole.headers["x-liftlock-record"])
answer = whole.parse()
text = answer.choices[0].message.content
assert "gap" in text.lower() or "liftlock" in text.lower(), text
assert answer.usage.total_tokens > 5, answer

streamed, chunks, usage = "", 0, None
for chunk in client.chat.completions.create(model="demo", messages=question, temperature=0, max_tokens=100, stream=True,
                                            stream_options={"include_usage": True}):
    chunks += 1
    usage = chunk.usage or usage
    streamed += (chunk.choices[0].delta.content or "") if chunk.choices else ""
assert streamed == text, (streamed, text)
assert chunks > 5 and usage.completion_tokens > 3, (chunks, usage)

for chunk in client.chat.completions.create(model="demo", messages=question, max_tokens=5, stream=True):
    assert chunk.choices, "a usage chunk that nobody asked for"

assert client.completions.create(model="demo", prompt="Liftlock", max_tokens=5).choices[0].text

# The older API has ids, log probabilities and streams of its own form.
plain = {"model": "demo", "prompt": "Liftlock", "max_tokens": 5, "temperature": 0}
legacy = client.completions.create(**plain, logprobs=2)
assert legacy.id.startswith("cmpl-") and legacy.object == "text_completion", legacy
said, likely = legacy.choices[0].text, legacy.choices[0].logprobs
assert "".join(likely.tokens) == said and len(likely.token_logprobs) == len(likely.tokens), legacy
assert all(2 <= len(some) <= 3 and token in some for token, some in zip(likely.tokens, likely.top_logprobs)), legacy
assert all(said[at:].startswith(token) for token, at in zip(likely.tokens, likely.text_offset)), legacy
chosen = client.completions.create(**plain, logprobs=0).choices[0].logprobs
assert chosen.tokens == likely.tokens and all(len(some) == 1 for some in chosen.top_logprobs), chosen
assert client.completions.create(**plain).choices[0].logprobs is None
chunks = [chunk for chunk in client.completions.create(**plain, logprobs=2, stream=True)]
assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].id.startswith("cmpl-"), chunks
pieces = [chunk.choices[0].logprobs for chunk in chunks if chunk.choices[0].logprobs]
assert [at for piece in pieces for at in piece.text_offset] == likely.text_offset, chunks
assert [token for piece in pieces for token in piece.tokens] == likely.tokens, chunks

client.chat.completions.create(model="demo", max_tokens=3, messages=[{"role": "user", "content": "zebra-in-the-canal"}])

# A schema binds the engine, and its properties come in the order in which the client wrote them.
schema = {"type": "object", "properties": {"why": {"const": "gap"}, "answer": {"enum": [1, 2]}},
          "required": ["why", "answer"], "additionalProperties": False}
shaped = client.chat.completions.create(model="demo", messages=question, max_tokens=100, logprobs=True, top_logprobs=2, response_format={
    "type": "json_schema", "json_schema": {"name": "shape", "strict": True, "schema": schema}}).choices[0]
assert list(json.loads(shaped.message.content).items())[0] == ("why", "gap"), shaped.message.content
assert len(shaped.logprobs.content[0].top_logprobs) == 2, shaped.logprobs


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


wrong = openai.OpenAI(base_url=url + "/v1", api_key="llk_wrong", max_retries=0)
refused(openai.AuthenticationError, lambda: wrong.models.list())
bot = openai.OpenAI(base_url=url + "/v1", api_key=other_key, max_retries=0)
refused(openai.PermissionDeniedError, lambda: bot.chat.completions.create(model="demo", messages=question))
refused(openai.NotFoundError, lambda: client.chat.completions.create(model="nosuch", messages=question))
error = refused(openai.BadRequestError,
                lambda: client.chat.completions.create(model="demo", messages=question, extra_body={"n_discard": 7}))
assert "n_discard" in str(error), error
refused(openai.APIStatusError, lambda: client.embeddings.create(model="demo", input="x"))

one = client.embeddings.create(model="vectors", input="a boat lift")  # the client asks for base64
assert len(one.data[0].embedding) == 64 and one.usage.prompt_tokens > 0, one.usage
several = client.embeddings.create(model="vectors", input=["a boat lift", "a lock"], encoding_format="float")
assert [item.index for item in several.data] == [0, 1]
assert max(abs(a - b) for a, b in zip(several.data[0].embedding, one.data[0].embedding)) < 1e-3, "one text, one vector"
assert several.data[0].embedding != several.data[1].embedding
refused(openai.APIStatusError, lambda: client.chat.completions.create(model="vectors", messages=question))

local = ollama.Client(url, headers={"Authorization": "Bearer " + key})
assert local.list().models[0].model == "demo:latest"
assert local.show("demo").details.family == "llama"
spoken = local.chat("demo", messages=question, options={"temperature": 0, "num_predict": 100})
assert spoken.message.content.strip() == text.strip(), (spoken, text)
assert spoken.done and spoken.eval_count > 3
pieces = list(local.chat("demo:latest", messages=question, options={"temperature": 0, "num_predict": 100}, stream=True))
assert "".join(piece.message.content or "" for piece in pieces).strip() == text.strip() and pieces[-1].done
assert local.generate("demo", "What is Liftlock?", options={"num_predict": 5}).response
vectors = local.embed("vectors", ["a boat lift", "a lock"]).embeddings
assert len(vectors) == 2 and len(vectors[0]) == 64
assert len(local.embeddings("vectors", "a boat lift").embedding) == 64
assert local.ps().models[0].model == "demo:latest"


def post(path, body, headers):
    request = urllib.request.Request(url + path, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request) as response:
        return response.read().decode()


said = json.loads(post("/v1/messages", {"model": "demo", "max_tokens": 50, "temperature": 0, "messages": question},
                       {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json"}))
assert said["type"] == "message" and said["content"][0]["text"], said
events = post("/v1/messages", {"model": "demo", "max_tokens": 20, "stream": True, "messages": question},
              {"x-api-key": key, "content-type": "application/json"})
assert events.startswith("event: message_start") and "event: message_stop" in events, events

metrics = urllib.request.urlopen(url + "/metrics").read().decode()
assert 'liftlock_requests_total{model="demo",outcome="success"}' in metrics, metrics
print(f"the clients agree; the model says: {text!r}")
