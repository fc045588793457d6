// The clients of clients_node_test.sh: OpenAI's, Anthropic's and Ollama's for Node. usage: clients_node.mjs URL KEY
// The model "caller" calls get_weather for Paris whatever it is asked.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import {Ollama} from 'ollama';

const [url, key] = process.argv.slice(2);
const question = [{role: 'user', content: 'What is Liftlock?'}];
const weather = [{role: 'user', content: 'What is the weather in Paris?'}];
const parameters = {type: 'object', properties: {city: {type: 'string'}}, required: ['city'], additionalProperties: false};
const client = new OpenAI({baseURL: url + '/v1', apiKey: key, maxRetries: 0});

/// Whatever the client sends besides, the answers of all three must be this one.
const text = (await client.chat.completions.create({model: 'demo', messages: question, temperature: 0, max_tokens: 100}))
                 .choices[0].message.content;
assert.match(text, /air gap/);

async function refused(kind, status, call) {
  await assert.rejects(call, (error) => error instanceof kind && error.status === status, kind.name);
}

async function count(outcome) {
  const metrics = await (await fetch(url + '/metrics')).text();
  const line = metrics.split('\n').find((one) => one.startsWith('liftlock_requests_total{') && one.includes(outcome));
  return Number(line?.split(' ').pop() ?? 0);
}

// -- OpenAI's

async function openaiChat() {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.deepEqual(models.sort(), ['caller', 'demo', 'vectors']);
  assert.equal((await client.models.retrieve('demo')).id, 'demo');

  let streamed = '', usage;
  const options = {model: 'demo', messages: question, temperature: 0, max_tokens: 100};
  for await (const chunk of await client.chat.completions.create(
      {...options, stream: true, stream_options: {include_usage: true}})) {
    streamed += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(streamed, text);
  assert.ok(usage.completion_tokens > 3 && usage.prompt_tokens > 3);
  assert.equal(await client.chat.completions.stream(options).finalContent(), text);

  const schema = {type: 'object', properties: {digit: {type: 'integer', minimum: 0, maximum: 9}}, required: ['digit'],
                  additionalProperties: false};
  const formed = await client.chat.completions.parse(
      {...options, response_format: {type: 'json_schema', json_schema: {name: 'digit', strict: true, schema}}});
  assert.ok(Number.isInteger(formed.choices[0].message.parsed.digit), JSON.stringify(formed.choices));
  const likely = await client.chat.completions.create({...options, max_tokens: 2, logprobs: true, top_logprobs: 2});
  assert.equal(likely.choices[0].logprobs.content[0].top_logprobs.length, 2);
  assert.ok((await client.completions.create({model: 'demo', prompt: 'Liftlock', max_tokens: 5})).choices[0].text);
}

async function openaiTools() {
  const tools = [{type: 'function', function: {name: 'get_weather', parameters}}];
  for (const choice of ['auto', 'required', {type: 'function', function: {name: 'get_weather'}}]) {
    const said = await client.chat.completions.create({model: 'caller', messages: weather, tools, tool_choice: choice});
    assert.equal(said.choices[0].finish_reason, 'tool_calls');
    const call = said.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, 'get_weather');
    assert.deepEqual(JSON.parse(call.function.arguments), {city: 'Paris'});
    const again = [...weather, said.choices[0].message, {role: 'tool', tool_call_id: call.id, content: 'sunny'}];
    assert.ok((await client.chat.completions.create({model: 'caller', messages: again, tools})).choices.length);
  }
  const streamed = await client.chat.completions.stream({model: 'caller', messages: weather, tools}).finalMessage();
  assert.equal(streamed.tool_calls[0].function.name, 'get_weather');
  const asked = [];
  const run = client.chat.completions.runTools({model: 'caller', messages: weather, tools: [{type: 'function', function: {
    name: 'get_weather', parameters, parse: JSON.parse, function: async ({city}) => { asked.push(city); return 'sunny'; }}}]},
    {maxChatCompletions: 2});
  await run.done();
  assert.deepEqual(asked, ['Paris', 'Paris']);
}

async function openaiEmbeddings() {
  const texts = ['a boat lift', 'a lock'];
  const several = await client.embeddings.create({model: 'vectors', input: texts});  // the client asks for base64
  assert.deepEqual(several.data.map((item) => [item.index, item.embedding.length]), [[0, 64], [1, 64]]);
  assert.ok(several.usage.prompt_tokens > 0);
  assert.notDeepEqual(several.data[0].embedding, several.data[1].embedding);
  const one = await client.embeddings.create({model: 'vectors', input: texts[0], encoding_format: 'float'});
  one.data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - several.data[0].embedding[i]) < 1e-3));
  await assert.rejects(() => client.chat.completions.create({model: 'vectors', messages: question}), OpenAI.APIError);
}

async function openaiResponses() {
  const options = {model: 'demo', input: 'What is Liftlock?', max_output_tokens: 100, temperature: 0};
  const answer = await client.responses.create(options);
  assert.equal(answer.output_text, text);
  assert.ok(answer.usage.output_tokens > 3);
  let streamed = '';
  const stream = client.responses.stream(options);
  for await (const event of stream) if (event.type === 'response.output_text.delta') streamed += event.delta;
  assert.equal(streamed, text);
  assert.equal((await stream.finalResponse()).status, 'completed');
  const tool = {type: 'function', name: 'get_weather', parameters, strict: true};
  const called = await client.responses.create({model: 'caller', input: weather, tools: [tool], tool_choice: 'required'});
  assert.equal(called.output.find((item) => item.type === 'function_call').name, 'get_weather');
}

async function openaiRefusals() {
  const ask = (more) => client.chat.completions.create({model: 'demo', messages: question, max_tokens: 3, ...more});
  const wrong = new OpenAI({baseURL: url + '/v1', apiKey: 'llk_wrong', maxRetries: 0});
  await refused(OpenAI.AuthenticationError, 401, () => wrong.models.list());
  await refused(OpenAI.NotFoundError, 404, () => ask({model: 'nosuch'}));
  await refused(OpenAI.BadRequestError, 400, () => ask({n_discard: 7}));
  await refused(OpenAI.PermissionDeniedError, 403, () => ask({web_search_options: {}}));
  await refused(OpenAI.PermissionDeniedError, 403, () => client.responses.create(
      {model: 'demo', input: 'x', tools: [{type: 'web_search'}]}));
  // A chat model is no embedding model.
  await assert.rejects(() => client.embeddings.create({model: 'demo', input: 'x'}), OpenAI.APIError);
}

async function openaiAbort() {
  const before = await count('outcome="client-gone"');
  // An answer that cannot end by itself before the client leaves: the token that ends one is forbidden.
  const endOfAnswer = 2;
  const aborter = new AbortController();
  const stream = await client.chat.completions.create(
      {model: 'demo', messages: question, temperature: 2, max_tokens: 900, logit_bias: {[endOfAnswer]: -100}, stream: true}, {signal: aborter.signal});
  let pieces = 0;
  for await (const _ of stream) if (++pieces === 2) aborter.abort();
  assert.ok(pieces < 100, `${pieces} pieces came after all`);
  for (let i = 0; await count('outcome="client-gone"') === before; ++i) {
    assert.ok(i < 100, 'the server did not see that the client left');
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

// -- Anthropic's

async function anthropic() {
  const claude = new Anthropic({baseURL: url, apiKey: key, maxRetries: 0});
  const options = {model: 'demo', max_tokens: 100, messages: question};
  assert.equal((await claude.messages.create(options)).content[0].text, text);
  const stream = claude.messages.stream(options);
  let streamed = '';
  stream.on('text', (piece) => streamed += piece);
  const final = await stream.finalMessage();
  assert.equal(streamed, text);
  assert.equal(final.stop_reason, 'end_turn');
  assert.ok(final.usage.output_tokens > 3);
  const tools = [{name: 'get_weather', input_schema: parameters}];
  const called = await claude.messages.create({model: 'caller', max_tokens: 100, messages: weather, tools});
  const use = called.content.find((block) => block.type === 'tool_use');
  assert.deepEqual(use.input, {city: 'Paris'});
  const result = {role: 'user', content: [{type: 'tool_result', tool_use_id: use.id, content: 'sunny'}]};
  const again = [...weather, {role: 'assistant', content: called.content}, result];
  assert.ok(await claude.messages.create({model: 'caller', max_tokens: 100, messages: again, tools}));
  const short = await claude.messages.countTokens({model: 'demo', messages: question});
  const long = await claude.messages.countTokens({model: 'demo', messages: question, system: 'Answer in one word, please.'});
  assert.ok(short.input_tokens > 3 && long.input_tokens > short.input_tokens, `${short.input_tokens} ${long.input_tokens}`);
  const bearer = new Anthropic({baseURL: url, apiKey: null, authToken: key, maxRetries: 0});
  assert.ok(await bearer.messages.create({...options, max_tokens: 3}));
  const wrong = new Anthropic({baseURL: url, apiKey: 'llk_wrong', maxRetries: 0});
  await refused(Anthropic.AuthenticationError, 401, () => wrong.messages.create(options));
  await refused(Anthropic.NotFoundError, 404, () => claude.messages.create({...options, model: 'nosuch'}));
  await refused(Anthropic.BadRequestError, 400, () => claude.messages.create({...options, max_tokens: 0}));
  await refused(Anthropic.PermissionDeniedError, 403, () => claude.messages.create(
      {...options, tools: [{type: 'web_search_20250305', name: 'web_search'}]}));
}

// -- Ollama's

async function ollama() {
  const local = new Ollama({host: url, headers: {Authorization: 'Bearer ' + key}});
  assert.deepEqual((await local.list()).models.map((model) => model.name).sort(), ['caller:latest', 'demo:latest', 'vectors:latest']);
  const options = {model: 'demo', messages: question, options: {temperature: 0, num_predict: 100}};
  assert.equal((await local.chat(options)).message.content, text);
  let streamed = '';
  for await (const piece of await local.chat({...options, stream: true})) streamed += piece.message.content;
  assert.equal(streamed, text);
  const tools = [{type: 'function', function: {name: 'get_weather', description: 'of a city', parameters}}];
  const called = await local.chat({model: 'caller', messages: weather, tools});
  assert.deepEqual(called.message.tool_calls[0].function.arguments, {city: 'Paris'});
  const loaded = await local.generate({model: 'caller', prompt: ''});
  assert.equal(loaded.done_reason, 'load');
  // What is here need not be fetched; nothing else can be.
  assert.equal((await local.pull({model: 'demo'})).status, 'success');
  await assert.rejects(() => local.pull({model: 'llama3'}), /'llama3' is not here/);
  await assert.rejects(() => local.push({model: 'demo'}), /sent out/);
  await assert.rejects(() => local.create({model: 'new', from: 'demo'}), /bundles/);
  await assert.rejects(() => local.delete({model: 'demo'}), /is not offered/);
}

for (const part of [openaiChat, openaiTools, openaiEmbeddings, openaiResponses, openaiRefusals, openaiAbort, anthropic, ollama]) {
  await part();
  console.log(`ok: ${part.name}`);
}
