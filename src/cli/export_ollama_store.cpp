#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/export_layouts.hpp"
#include "ecosystem/ollama/serving/store_export.hpp"

namespace liftlock {
namespace {

ollama::Name name_of(const LayoutOrder& order) {
  if (order.ollama_name.empty()) return ollama::name_of(order.artifacts.front());
  try {
    return ollama::parse_name(order.ollama_name);
  } catch (const Error& error) {
    throw Error(ErrorCode::usage, error.what(), std::string(error.hint()));
  }
}

}  // namespace

std::vector<ExportedFile> export_ollama_store(const LayoutOrder& order) {
  const auto name = name_of(order);
  auto files = ollama::export_to_store(order.store.blobs, order.artifacts.front(), name, order.to, order.reporter);
  order.reporter.note(fmt::format("ollama run {}", name.text()));
  return files;
}

}  // namespace liftlock
