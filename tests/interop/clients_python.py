"""The clients of clients_python_test.sh: Anthropic's, LangChain's, LlamaIndex's, OpenAI's and Ollama's. usage: clients_python.py URL KEY

The model "caller" calls get_weather for Paris whatever it is asked.
"""
import json
import sys

import anthropic
import ollama
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike

url, key = sys.argv[1:]
question = "What is Liftlock?"
messages = [{"role": "user", "content": question}]
weather = [{"role": "user", "content": "What is the weather in Paris?"}]
headers = {"Authorization": "Bearer " + key}
ANSWER = "across an air gap in signed bundles"


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "sunny in " + city


def refused(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, error
        return
    raise AssertionError(f"{kind.__name__} was expected")


def anthropics():
    client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
    said = client.messages.create(model="demo", max_tokens=100, messages=messages)
    assert ANSWER in said.content[0].text and said.stop_reason == "end_turn", said
    assert said.usage.output_tokens > 3, said
    with client.messages.stream(model="demo", max_tokens=100, messages=messages, system="Be brief.") as stream:
        streamed = "".join(stream.text_stream)
        assert stream.get_final_message().content[0].text == streamed
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"name": "get_weather", "description": "of a city", "input_schema": schema}]
    called = client.messages.create(model="caller", max_tokens=100, messages=messages, tools=tools)
    use = next(block for block in called.content if block.type == "tool_use")
    assert called.stop_reason == "tool_use" and use.input == {"city": "Paris"}, called
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}]}
    again = [*messages, {"role": "assistant", "content": called.content}, result]
    client.messages.create(model="caller", max_tokens=100, messages=again, tools=tools)
    count = client.messages.count_tokens(model="demo", messages=messages).input_tokens
    assert count == said.usage.input_tokens + (said.usage.cache_read_input_tokens or 0), (count, said.usage)
    wrong = anthropic.Anthropic(base_url=url, api_key="llk_wrong", max_retries=0)
    refused(anthropic.AuthenticationError, 401,
            lambda: wrong.messages.create(model="demo", max_tokens=3, messages=messages))
    refused(anthropic.NotFoundError, 404,
            lambda: client.messages.create(model="nosuch", max_tokens=3, messages=messages))
    web = [{"type": "web_search_20250305", "name": "web_search"}]
    refused(anthropic.PermissionDeniedError, 403,
            lambda: client.messages.create(model="demo", max_tokens=3, messages=messages, tools=web))


def langchain():
    kinds = [lambda model: ChatOpenAI(base_url=url + "/v1", api_key=key, model=model),
             lambda model: ChatOllama(base_url=url, model=model, client_kwargs={"headers": headers}),
             lambda model: ChatAnthropic(base_url=url, api_key=key, model=model, max_tokens=100)]
    for kind in kinds:
        demo = kind("demo")
        said = demo.invoke(question)
        assert ANSWER in str(said.content) and said.usage_metadata["output_tokens"] > 3, said
        pieces = list(demo.stream(question))
        assert len(pieces) > 5 and ANSWER in "".join(str(piece.text) for piece in pieces), pieces
        talk = [HumanMessage("What is the weather in Paris?")]
        called = kind("caller").bind_tools([get_weather]).invoke(talk)
        assert called.tool_calls[0]["args"] == {"city": "Paris"}, called
        result = get_weather.invoke(called.tool_calls[0])
        assert isinstance(result, ToolMessage) and result.content == "sunny in Paris", result
        kind("caller").bind_tools([get_weather]).invoke([*talk, called, result])


def llama_index():
    local = Ollama(model="demo", base_url=url, client=ollama.Client(url, headers=headers))
    like = OpenAILike(model="demo", api_base=url + "/v1", api_key=key, is_chat_model=True)
    for llm in (local, like):
        assert ANSWER in str(llm.complete(question)), llm
        pieces = list(llm.stream_chat([ChatMessage(content=question)]))
        assert len(pieces) > 5 and ANSWER in str(pieces[-1]), pieces


def openai_tools():
    client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
    tools = [{"type": "function", "function": {"name": "get_weather", "description": "of a city", "parameters": schema}}]
    for choice in ("auto", "required", {"type": "function", "function": {"name": "get_weather"}}):
        said = client.chat.completions.create(model="caller", messages=weather, tools=tools, tool_choice=choice).choices[0]
        call = said.message.tool_calls[0]
        assert said.finish_reason == "tool_calls" and call.function.name == "get_weather", said
        assert json.loads(call.function.arguments) == {"city": "Paris"}, said
        again = [*weather, said.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        assert client.chat.completions.create(model="caller", messages=again, tools=tools).choices
    chunks = client.chat.completions.create(model="caller", messages=weather, tools=tools, stream=True)
    pieces = [piece for chunk in chunks if chunk.choices for piece in chunk.choices[0].delta.tool_calls or []]
    assert pieces[0].function.name == "get_weather", pieces
    assert json.loads("".join(piece.function.arguments or "" for piece in pieces)) == {"city": "Paris"}, pieces
    own = {"type": "function", "name": "get_weather", "parameters": schema, "strict": True}
    called = client.responses.create(model="caller", input=weather, tools=[own], tool_choice="required")
    assert [item.name for item in called.output if item.type == "function_call"] == ["get_weather"], called


def ollama_tools():
    def get_weather(city: str) -> str:
        """The weather in a city.

        Args:
            city: its name
        """
        return "sunny in " + city

    local = ollama.Client(url, headers=headers)
    called = local.chat("caller", messages=weather, tools=[get_weather]).message
    assert called.tool_calls[0].function.name == "get_weather", called
    result = get_weather(**called.tool_calls[0].function.arguments)
    assert result == "sunny in Paris", called
    again = [*weather, called, {"role": "tool", "content": result, "tool_name": "get_weather"}]
    assert local.chat("caller", messages=again, tools=[get_weather]).done
    pieces = list(local.chat("caller", messages=weather, tools=[get_weather], stream=True))
    calls = [call for piece in pieces for call in piece.message.tool_calls or []]
    assert [call.function.arguments for call in calls] == [{"city": "Paris"}] and pieces[-1].done, pieces


for part in (anthropics, langchain, llama_index, openai_tools, ollama_tools):
    part()
    print("ok:", part.__name__)
