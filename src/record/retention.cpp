#include "record/retention.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::array k_classes = {RecordClass::prompts, RecordClass::embeddings, RecordClass::rankings,
                                  RecordClass::images, RecordClass::transcriptions};

}  // namespace

std::string_view name(RecordClass one) {
  switch (one) {
    case RecordClass::prompts:
      return "prompts";
    case RecordClass::embeddings:
      return "embeddings";
    case RecordClass::rankings:
      return "rankings";
    case RecordClass::images:
      return "images";
    case RecordClass::transcriptions:
      return "transcriptions";
  }
  fail(ErrorCode::internal, "unknown class of records");
}

std::optional<RecordClass> parse_record_class(std::string_view text) {
  const auto found = std::find_if(k_classes.begin(), k_classes.end(), [&](auto one) { return name(one) == text; });
  return found == k_classes.end() ? std::nullopt : std::optional(*found);
}

RecordClass class_of(std::string_view endpoint) {
  if (endpoint == "/v1/embeddings" || endpoint.starts_with("/api/embed")) return RecordClass::embeddings;
  if (endpoint == "/v1/rerank") return RecordClass::rankings;
  if (endpoint.starts_with("/v1/images/")) return RecordClass::images;
  if (endpoint.starts_with("/v1/audio/")) return RecordClass::transcriptions;
  return RecordClass::prompts;
}

bool answers_in_numbers(std::string_view endpoint) {
  const auto one = class_of(endpoint);
  return one == RecordClass::embeddings || one == RecordClass::rankings || endpoint.ends_with("/count_tokens");
}

std::optional<std::chrono::seconds> Retention::of(RecordClass one) const {
  const auto found = classes.find(one);
  return found == classes.end() ? all : std::optional(found->second);
}

Expiry::Expiry(const Retention& retention, const RecordReader& reader, Timestamp now) {
  for (const auto one : k_classes) {
    if (const auto keep = retention.of(one)) m_before[one] = now - *keep;
  }
  if (m_before.empty()) return;
  const auto earlier = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto newest = std::max_element(m_before.begin(), m_before.end(), earlier)->second;
  // Where one class is kept for ever, what is of an unknown class is, too.
  if (m_before.size() == k_classes.size())
    m_all_before = std::min_element(m_before.begin(), m_before.end(), earlier)->second;
  if (m_all_before == newest) return;
  RecordReader::Filter filter;
  if (m_all_before != Timestamp::min()) filter.from = m_all_before;
  filter.to = newest;
  m_findings = reader.find(filter, [&](const RecordHead& head) {
    const auto before = m_before.find(class_of(head.endpoint));
    if (before != m_before.end() && head.time < before->second) m_over.insert(head.id);
    return true;
  });
}

}  // namespace liftlock
