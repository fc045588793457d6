#include "gateway/translation.hpp"

#include "gateway/anthropic.hpp"
#include "gateway/images.hpp"
#include "gateway/ollama.hpp"
#include "gateway/openai_request.hpp"
#include "gateway/speech.hpp"

namespace liftlock {

Translation translate(const Endpoint& endpoint, const HttpRequest& request, const Json& document,
                      const std::string& id) {
  Translation out;
  const auto ollama = [&](ollama::Request translated, OllamaAnswer answer) {
    if (translated.only_load) out.only_load = answer;
    out.keep_alive = translated.keep_alive;
    out.engine = std::move(translated.engine);
    out.dialect = ollama_dialect(answer, out.engine.model);
  };
  switch (endpoint.does) {
    case Does::complete:
      out.engine = narrow_completion_request(document);
      out.dialect = completions_dialect(out.engine.drop_usage_chunk, endpoint.api, "cmpl-" + id,
                                        document.value("logprobs", Json()) == 0 ? 0 : k_max_alternatives);
      break;
    case Does::embed:
      out.engine = narrow_embeddings_request(document);
      break;
    case Does::rerank:
      out.engine = narrow_rerank_request(document);
      break;
    case Does::images:
      out.engine = narrow_images_request(document);
      break;
    case Does::transcribe:
    case Does::translate_speech: {
      const bool to_english = endpoint.does == Does::translate_speech;
      auto speech = narrow_speech_request(request.header("Content-Type"), request.body, to_english);
      out.recording = speech.recording;
      out.engine = std::move(speech.engine);
      out.listening = Listening{.recording = nullptr,
                                .task = std::move(speech.task),
                                .say = [form = speech.form, to_english](const engine::Transcript& transcript) {
                                  return speech_answer(transcript, form, to_english);
                                }};
      break;
    }
    case Does::messages:
      out.engine = anthropic::messages_request(document);
      out.dialect = anthropic_dialect("msg_" + id, out.engine.model);
      break;
    case Does::count_tokens:
      out.engine = anthropic::count_tokens_request(document);
      out.dialect = count_tokens_dialect();
      break;
    case Does::responses:
      out.engine = narrow_responses_request(document);
      out.dialect = responses_dialect("resp_" + id, out.engine.model);
      break;
    case Does::ollama_chat:
      ollama(ollama::chat_request(document), OllamaAnswer::chat);
      break;
    case Does::ollama_generate:
      ollama(ollama::generate_request(document), OllamaAnswer::generate);
      break;
    case Does::ollama_embed:
      ollama(ollama::embed_request(document), OllamaAnswer::embed);
      break;
    case Does::ollama_embeddings:
      ollama(ollama::embeddings_request(document), OllamaAnswer::embeddings);
      break;
    default:
      out.engine = narrow_chat_request(document);
  }
  if (!out.dialect) out.dialect = openai_dialect(out.engine.drop_usage_chunk, endpoint.api);
  return out;
}

}  // namespace liftlock
