#include "advisory/match.hpp"

#include <nlohmann/json.hpp>

#include "advisory/database.hpp"
#include "base/encoding.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock::advisory {
namespace {

constexpr JsonLimits k_limits{.max_bytes = 512u << 20, .max_depth = 8};
constexpr std::string_view k_request = "a request to match advisories";
constexpr std::string_view k_answer = "the answer of a match";

}  // namespace

std::string match_request(const std::vector<Subject>& subjects) {
  auto list = Json::array();
  for (const auto& subject : subjects) {
    list.push_back({{"id", subject.id},
                    {"ecosystem", subject.known.ecosystem},
                    {"release", subject.known.release},
                    {"name", subject.known.name},
                    {"version", subject.known.version},
                    {"without_epoch", subject.known.without_epoch}});
  }
  return dump_json_line({{"subjects", std::move(list)}});
}

std::string answer_match_request(std::string_view request, std::span<const int> files) {
  const auto json = parse_json(request, k_limits);
  std::vector<Subject> subjects;
  for (const auto& one : array_member(json, "subjects", k_request)) {
    const auto text = [&](std::string_view key) { return string_member(one, key, k_request); };
    subjects.push_back({text("id"),
                        {text("ecosystem"), text("release"), text("name"), text("version"),
                         bool_member(one, "without_epoch", k_request)}});
  }
  AffectedArtifacts search(subjects);
  for (const int file : files) {
    each_advisory(file, "a database of advisories", [&](const Advisory& advisory) { search.consider(advisory); });
  }
  auto list = Json::array();
  for (const auto& found : search.result()) {
    list.push_back({{"artifact", found.artifact},
                    {"advisory", found.advisory},
                    {"subject", found.subject},
                    {"aliases", found.aliases},
                    {"severity", found.severity},
                    {"summary", found.summary},
                    {"fixed", found.fixed},
                    {"source", found.source}});
  }
  return dump_json_line({{"records", search.considered()}, {"affected", std::move(list)}});
}

Match parse_match_answer(std::string_view answer) {
  const auto json = parse_json(answer, k_limits);
  Match out{.records = uint_member(json, "records", k_answer), .affected = {}};
  for (const auto& one : array_member(json, "affected", k_answer)) {
    const auto text = [&](std::string_view key) { return printable(string_member(one, key, k_answer)); };
    const auto texts = [&](std::string_view key) {
      std::vector<std::string> list;
      for (const auto& item : array_member(one, key, k_answer)) {
        if (item.is_string()) list.push_back(printable(item.get<std::string>()));
      }
      return list;
    };
    Affected found{text("artifact"), text("advisory"), text("subject"), texts("aliases"),
                   text("severity"), text("summary"),  texts("fixed"),  text("source")};
    out.affected.push_back(std::move(found));
  }
  return out;
}

}  // namespace liftlock::advisory
