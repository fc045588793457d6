#include "engine/engine_facts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_where = "installed.json";
constexpr std::size_t k_max_flags = 4096;

bool is_flag(std::string_view word) {
  const auto dashes = std::min(word.find_first_not_of('-'), word.size());
  if (dashes < 1 || dashes > 2 || word.size() == dashes || word.size() > 64) return false;
  return std::all_of(word.begin() + static_cast<std::ptrdiff_t>(dashes), word.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::vector<std::string> texts_or_none(const Json& json, const char* key) {
  std::vector<std::string> out;
  if (!json.contains(key)) return out;
  for (const auto& one : array_member(json, key, k_where)) {
    if (!one.is_string()) fail(ErrorCode::schema_violation, "{}: {} must be strings", k_where, key);
    out.push_back(one.get<std::string>());
  }
  return out;
}

}  // namespace

std::string encode_facts(const EngineFacts& facts) {
  Json out = {{"origin", facts.origin}, {"package", facts.package}, {"installed", format_time(facts.installed)},
              {"says", facts.says},     {"flags", facts.flags},     {"believed_by", facts.believed_by},
              {"keys", facts.keys},     {"reason", facts.reason},   {"notes", facts.notes}};
  if (facts.base) out["base"] = {{"engine", facts.base->engine}, {"package", facts.base->package}};
  return dump_json(out);
}

EngineFacts parse_facts(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = 4u << 20, .max_depth = 8});
  EngineFacts out{.origin = string_member(json, "origin", k_where),
                  .package = string_member(json, "package", k_where),
                  .installed = parse_time(string_member(json, "installed", k_where)),
                  .says = string_member(json, "says", k_where),
                  .flags = {}};
  for (const auto& [executable, flags] : object_member(json, "flags", k_where).items()) {
    for (const auto& flag : flags) {
      if (!flag.is_string()) fail(ErrorCode::schema_violation, "{}: a flag must be a string", k_where);
      out.flags[executable].insert(flag.get<std::string>());
    }
  }
  // What older versions did not write.
  out.believed_by = string_member_or(json, "believed_by", "", k_where);
  out.reason = string_member_or(json, "reason", "", k_where);
  out.keys = texts_or_none(json, "keys");
  out.notes = texts_or_none(json, "notes");
  if (json.contains("base")) {
    const auto& base = object_member(json, "base", k_where);
    out.base = EngineBase{string_member(base, "engine", k_where), string_member(base, "package", k_where)};
  }
  return out;
}

Flags flags_of_help(std::string_view help) {
  Flags out;
  for (const auto line : split(help, '\n')) {
    const auto text = trim(line);
    if (!text.starts_with('-')) continue;
    // "-m,    --model FNAME   path of the model": flags first, each but the last followed by a comma; an operand may
    // stand between ("-t N,   --threads N").
    bool goes_on = true;
    for (const auto raw : split(text, ' ')) {
      if (raw.empty()) continue;
      if (!goes_on || out.size() > k_max_flags) break;
      const bool has_comma = raw.ends_with(',');
      const auto word = has_comma ? raw.substr(0, raw.size() - 1) : raw;
      if (is_flag(word)) {
        out.emplace(word);
      } else {
        goes_on = has_comma;
      }
    }
  }
  return out;
}

std::string_view spelling(const FlagNeed& need, const Flags* known) {
  if (known == nullptr) return need.kind == FlagNeed::Kind::if_known ? std::string_view() : need.spellings.front();
  for (const auto one : need.spellings) {
    if (known->contains(one)) return one;
  }
  return {};
}

const std::vector<FlagNeed>& flag_needs(std::string_view executable) {
  using enum FlagNeed::Kind;
  static const std::vector<FlagNeed> k_llama = {{"the socket", {"--host"}, needed},
                                                {"the model", {"-m", "--model"}, needed},
                                                {"the name", {"--alias", "-a"}, needed},
                                                {"the slots", {"--parallel", "-np"}, needed},
                                                {"the context", {"-c", "--ctx-size"}, needed},
                                                {"embeddings", {"--embeddings", "--embedding"}, for_some},
                                                {"reranking", {"--reranking", "--rerank"}, for_some},
                                                {"the batch", {"--batch-size", "-b"}, for_some},
                                                {"the step", {"--ubatch-size", "-ub"}, for_some},
                                                {"the view of its work", {"--slots"}, for_some},
                                                {"the projector", {"--mmproj", "-mm"}, if_known},
                                                {"no downloads", {"--offline"}, if_known},
                                                {"no pages", {"--no-ui", "--no-webui"}, if_known},
                                                {"no trial run", {"--no-warmup"}, if_known},
                                                {"no view of others' prompts", {"--no-slots"}, if_known}};
  static const std::vector<FlagNeed> k_whisper = {{"the model", {"--model", "-m"}, needed},
                                                  {"the recording", {"--file", "-f"}, needed},
                                                  {"the output's form", {"--output-json", "-oj"}, needed},
                                                  {"the output", {"--output-file", "-of"}, needed},
                                                  {"the language", {"--language", "-l"}, needed},
                                                  {"translation", {"--translate", "-tr"}, needed},
                                                  {"the hint", {"--prompt"}, if_known},
                                                  {"silence", {"--no-prints", "-np"}, if_known}};
  static const std::vector<FlagNeed> k_none;
  if (executable == "llama-server") return k_llama;
  return executable == "whisper-cli" ? k_whisper : k_none;
}

std::vector<std::string> missing_flags(std::string_view executable, const Flags& known) {
  std::vector<std::string> out;
  for (const auto& need : flag_needs(executable)) {
    if (need.kind == FlagNeed::Kind::needed && spelling(need, &known).empty())
      out.push_back(fmt::format("{} ({})", need.purpose, fmt::join(need.spellings, " or ")));
  }
  return out;
}

}  // namespace liftlock::engine
