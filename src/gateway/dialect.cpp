#include "gateway/dialect.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "gateway/anthropic.hpp"
#include "gateway/completions.hpp"
#include "gateway/ollama.hpp"
#include "gateway/responses.hpp"

namespace liftlock {
namespace {

using Clock = std::chrono::steady_clock;

/// What went wrong with this machine is told by its title only: a failed system call names paths of it.
std::string words_for_client(const Error& error) {
  const auto& about = info(error.code());
  const bool about_models = error.code() == ErrorCode::model_unfit || error.code() == ErrorCode::overloaded;
  const bool ours =
      !about_models && (about.error_class == ErrorClass::internal || about.error_class == ErrorClass::space);
  return ours ? std::string(about.title) : printable(error.message());
}

/// The words of OpenAI's error types.
std::string_view openai_error_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 404) return "not_found_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

/// Ours, but where clients look for one of OpenAI's.
std::string_view openai_error_code(const Error& error) {
  return error.code() == ErrorCode::context_exceeded ? "context_length_exceeded" : info(error.code()).slug;
}

Json openai_error(const Error& error) {
  const auto& about = info(error.code());
  return {{"error",
           {{"message", words_for_client(error)},
            {"type", openai_error_type(about.http_status)},
            {"param", nullptr},
            {"code", openai_error_code(error)}}}};
}

Json local_error(const Error& error) {
  const auto& about = info(error.code());
  return {{"error", {{"message", error.message()}, {"code", about.slug}, {"remedy", error.hint()}}}};
}

class OpenAi final : public Dialect {
 public:
  OpenAi(bool drop_usage_chunk, Api failures) : m_drop_usage_chunk(drop_usage_chunk), m_failures(failures) {}

  std::string_view stream_type() const override { return "text/event-stream"; }
  std::string whole(std::string data, const Json&) override { return data; }
  std::string chunk(std::string_view data, const Json& chunk) override {
    if (m_drop_usage_chunk && chunk.is_object()) {
      const auto choices = chunk.find("choices");
      if (choices != chunk.end() && choices->is_array() && choices->empty()) return {};
    }
    std::string event;
    event.reserve(data.size() + 8);
    event += "data: ";
    event += data;
    event += "\n\n";
    return event;
  }
  std::string finish() override { return "data: [DONE]\n\n"; }
  std::string broken(const Error& error) override {
    const auto document = m_failures == Api::local ? local_error(error) : openai_error(error);
    return "data: " + dump_json_line(document) + "\n\n";
  }

 private:
  bool m_drop_usage_chunk;
  Api m_failures;
};

class Completions final : public Dialect {
 public:
  Completions(OpenAi form, CompletionTranslator translator) : m_form(form), m_translator(std::move(translator)) {}

  std::string_view stream_type() const override { return m_form.stream_type(); }
  std::string whole(std::string, const Json& answer) override { return dump_json_line(m_translator.feed(answer)); }
  std::string chunk(std::string_view, const Json& chunk) override {
    const auto translated = m_translator.feed(chunk);
    return m_form.chunk(dump_json_line(translated), translated);
  }
  std::string finish() override { return m_form.finish(); }
  std::string broken(const Error& error) override { return m_form.broken(error); }

 private:
  OpenAi m_form;
  CompletionTranslator m_translator;
};

class Responses final : public Dialect {
 public:
  Responses(std::string id, std::string model)
      : m_facts{.id = std::move(id), .model = std::move(model), .created = now()}, m_stream(m_facts) {}

  std::string_view stream_type() const override { return "text/event-stream"; }
  std::string whole(std::string, const Json& answer) override {
    return dump_json_line(responses::answer(answer, m_facts));
  }
  std::string chunk(std::string_view, const Json& chunk) override { return m_stream.feed(chunk); }
  std::string finish() override { return m_stream.finish(); }
  std::string broken(const Error& error) override {
    return m_stream.broken(info(error.code()).slug, words_for_client(error));
  }

 private:
  responses::AnswerFacts m_facts;
  responses::StreamTranslator m_stream;
};

class Ollama final : public Dialect {
 public:
  Ollama(OllamaAnswer answer, std::string model)
      : m_answer(answer),
        m_facts{.model = std::move(model), .created = now(), .total = {}, .load = {}},
        m_stream(endpoint(), m_facts) {}

  std::string_view stream_type() const override { return "application/x-ndjson"; }
  std::string whole(std::string, const Json& answer) override {
    m_facts.total = Clock::now() - m_start;
    if (m_answer == OllamaAnswer::embed) return dump_json_line(ollama::embed_answer(answer, m_facts));
    if (m_answer == OllamaAnswer::embeddings) return dump_json_line(ollama::embeddings_answer(answer));
    return dump_json_line(ollama::answer(endpoint(), answer, m_facts));
  }
  std::string chunk(std::string_view, const Json& chunk) override { return m_stream.feed(chunk); }
  std::string finish() override { return m_stream.finish(Clock::now() - m_start); }
  std::string broken(const Error& error) override {
    return dump_json_line(ollama::error_answer(words_for_client(error))) + "\n";
  }

 private:
  ollama::Endpoint endpoint() const {
    return m_answer == OllamaAnswer::chat ? ollama::Endpoint::chat : ollama::Endpoint::generate;
  }
  OllamaAnswer m_answer;
  ollama::AnswerFacts m_facts;
  ollama::StreamTranslator m_stream;
  Clock::time_point m_start = Clock::now();
};

class Anthropic final : public Dialect {
 public:
  Anthropic(std::string id, std::string model)
      : m_id(std::move(id)), m_model(std::move(model)), m_stream(m_id, m_model) {}

  std::string_view stream_type() const override { return "text/event-stream"; }
  std::string whole(std::string, const Json& answer) override {
    return dump_json_line(anthropic::message(answer, m_id, m_model));
  }
  std::string chunk(std::string_view, const Json& chunk) override { return m_stream.feed(chunk); }
  std::string finish() override { return m_stream.finish(); }
  std::string broken(const Error& error) override {
    return anthropic::event("error", anthropic::error_answer(info(error.code()).http_status, words_for_client(error)));
  }

 private:
  std::string m_id, m_model;
  anthropic::StreamTranslator m_stream;
};

class CountTokens final : public Dialect {
 public:
  std::string_view stream_type() const override { return "application/json"; }
  std::string whole(std::string, const Json& answer) override { return dump_json_line(anthropic::token_count(answer)); }
  std::string chunk(std::string_view, const Json&) override { return {}; }
  std::string finish() override { return {}; }
  std::string broken(const Error&) override { return {}; }
};

}  // namespace

HttpResponse api_problem(Api api, const Error& error) {
  auto response = problem_response(error);
  const auto message = words_for_client(error);
  Json document;
  if (api == Api::openai) document = openai_error(error);
  if (api == Api::local) document = local_error(error);
  if (api == Api::ollama) document = ollama::error_answer(message);
  if (api == Api::anthropic) document = anthropic::error_answer(response.status, message);
  response.replace("Content-Type", "application/json");
  response.replace("WWW-Authenticate", "Bearer realm=\"liftlock\"");
  response.body = dump_json_line(document) + "\n";
  return response;
}

std::unique_ptr<Dialect> openai_dialect(bool drop_usage_chunk, Api failures) {
  return std::make_unique<OpenAi>(drop_usage_chunk, failures);
}
std::unique_ptr<Dialect> completions_dialect(bool drop_usage_chunk, Api failures, std::string id,
                                             std::size_t most_alternatives) {
  return std::make_unique<Completions>(OpenAi(drop_usage_chunk, failures),
                                       CompletionTranslator(std::move(id), most_alternatives));
}
std::unique_ptr<Dialect> responses_dialect(std::string id, std::string model) {
  return std::make_unique<Responses>(std::move(id), std::move(model));
}
std::unique_ptr<Dialect> ollama_dialect(OllamaAnswer answer, std::string model) {
  return std::make_unique<Ollama>(answer, std::move(model));
}
std::unique_ptr<Dialect> anthropic_dialect(std::string id, std::string model) {
  return std::make_unique<Anthropic>(std::move(id), std::move(model));
}
std::unique_ptr<Dialect> count_tokens_dialect() {
  return std::make_unique<CountTokens>();
}

}  // namespace liftlock
