#include "ecosystem/ollama/store_reader.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::size_t k_max_files = 100'000;

bool is_store(const fs::path& folder) {
  std::error_code error;
  return fs::is_directory(folder / "manifests", error) && fs::is_directory(folder / "blobs", error);
}

}  // namespace

fs::path find_store(const fs::path& folder) {
  for (const auto& at : {folder, folder / "models"}) {
    if (is_store(at)) return at;
  }
  throw Error(ErrorCode::not_found, fmt::format("'{}' is no store of Ollama", printable(folder.string())),
              "name the folder that holds manifests/ and blobs/: OLLAMA_MODELS of the service, else ~/.ollama/models");
}

fs::path default_store() {
  if (const char* models = std::getenv("OLLAMA_MODELS"); models != nullptr && *models != '\0') return models;
  const char* home = std::getenv("HOME");
  const fs::path own = home == nullptr ? fs::path() : fs::path(home) / ".ollama/models";
  const fs::path service = "/usr/share/ollama/.ollama/models";
  return !is_store(own) && is_store(service) ? service : own;
}

fs::path blob_path(const fs::path& store, const Digest& digest) {
  return store / "blobs" / ("sha256-" + digest.hex());
}

fs::path manifest_path(const fs::path& store, const Name& name) {
  return store / "manifests" / name.path();
}

std::vector<Name> names_in(const fs::path& store) {
  std::vector<Name> out;
  for (const auto& entry : walk(store / "manifests", k_max_files)) {
    if (auto name = name_of_path(entry.path); name && S_ISREG(entry.status.st_mode)) out.push_back(*std::move(name));
  }
  return out;
}

StoredModel read_model(const fs::path& store, const Name& name) {
  const auto at = manifest_path(store, name);
  if (!fs::is_regular_file(at)) {
    std::vector<std::string> known;
    for (const auto& each : names_in(store)) known.push_back(each.text());
    throw Error(ErrorCode::not_found,
                fmt::format("'{}' holds no model '{}'", printable(store.string()), printable(name.text())),
                known.empty() ? "it holds none at all" : fmt::format("it holds {}", fmt::join(known, ", ")));
  }
  StoredModel out{
      name, read_file(at, k_max_manifest_bytes), {Layer{{}, Digest::parse_sha256_hex(std::string(64, '0'))}, {}}};
  out.manifest = with_context("while reading " + printable(at.string()), [&] { return parse_manifest(out.bytes); });
  return out;
}

}  // namespace liftlock::ollama
