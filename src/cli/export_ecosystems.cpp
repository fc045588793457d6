// Packages as folders that their own clients read in the place of a registry, as each ecosystem's room lays them out.
#include <fmt/format.h>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/export_layouts.hpp"
#include "cli/inspection.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/local_registry.hpp"
#include "ecosystem/go/module_proxy.hpp"
#include "ecosystem/helm/chart_index.hpp"
#include "ecosystem/maven/repository_layout.hpp"
#include "ecosystem/npm/cache_layout.hpp"
#include "ecosystem/plain_layout.hpp"

namespace liftlock {
namespace {

/// Every content of each, what shall count last: what one stack brought of a module does not hide what another did.
std::vector<Artifact> with_all_contents(const LayoutOrder& order, std::vector<Artifact> artifacts) {
  std::vector<Artifact> out;
  for (auto& artifact : artifacts) {
    auto contents = order.store.catalog.contents(artifact.id());
    out.insert(out.end(), contents.rbegin(), contents.rend());
    out.push_back(std::move(artifact));
  }
  return out;
}

/// The files, then what names them: whoever looks meanwhile finds nothing that is not there.
std::vector<ExportedFile> write_layout(const LayoutOrder& order, const PlainLayout& layout) {
  const auto place = [&](const std::string& path) { return order.to / RelPath::parse(path).text(); };
  for (const auto& [path, text] : layout.documents) require_same_document(place(path), text);
  Artifact all{.kind = order.artifacts.front().kind, .name = "export", .version = counted(layout.files.size(), "file")};
  for (const auto& [path, file] : layout.files) {
    all.files.push_back(file);
    all.files.back().path = RelPath::parse(path);
  }
  auto files = export_artifact(order.store.blobs, all, order.to, ExportLayout::bundle, order.reporter);
  for (const auto& [path, text] : layout.documents) {
    const auto at = place(path);
    make_folders(at.parent_path());
    if (!fs::exists(at)) write_file_atomically(at, text);
    files.push_back({at, text.size(), sha256(text)});
  }
  write_export_list(order.to, "SHA256SUMS", files);
  return files;
}

/// How the folder is used, as it stands here.
template <typename... Args>
void tell(const LayoutOrder& order, fmt::format_string<Args...> format, Args&&... args) {
  order.reporter.note(fmt::format(format, std::forward<Args>(args)...));
}

std::string shown(const fs::path& path) {
  return printable(fs::absolute(path).lexically_normal().string());
}

/// As the catalog has it since the crate came in; else a cell looks again.
Json inspected_crate(const OpenStore& store, const Inspect& inspect, const Artifact& crate) {
  auto facts = store.catalog.inspection(crate);
  if (facts.contains(cargo::k_fact_index)) return facts;
  const auto open = [&](const Digest& digest) { return store.blobs.open(digest); };
  auto inspection = inspect.artifact(crate, open, {});
  if (!inspection.findings.empty()) throw Error(inspection.findings[0].code, inspection.findings[0].message);
  return std::move(inspection.facts);
}

}  // namespace

std::vector<ExportedFile> export_npm_cache(const LayoutOrder& order) {
  auto files = write_layout(order, npm::cache_layout(with_needs(order, {"npm"})));
  tell(order, "npm ci --offline --cache {}", shown(order.to));
  return files;
}

std::vector<ExportedFile> export_crates(const LayoutOrder& order) {
  const auto inspect = make_inspect();
  auto files = write_layout(order, cargo::local_registry(with_needs(order, {"crate"}), [&](const Artifact& crate) {
                              return inspected_crate(order.store, inspect, crate);
                            }));
  tell(order, "cargo build --locked --offline --config {}", shown(order.to / ".cargo/config.toml"));
  return files;
}

std::vector<ExportedFile> export_go_proxy(const LayoutOrder& order) {
  auto files = write_layout(order, go::module_proxy(with_all_contents(order, with_needs(order, {"go-module"}))));
  tell(order, "GOPROXY=file://{} GOSUMDB=off GOTOOLCHAIN=local go build ./...",
       encode_percent_path(fs::absolute(order.to).lexically_normal().string()));
  return files;
}

std::vector<ExportedFile> export_maven_repository(const LayoutOrder& order) {
  auto files = write_layout(
      order, maven::repository_layout(with_all_contents(order, with_needs(order, {"maven"})), order.store.blobs));
  tell(order, "a <mirror> of settings.xml: <mirrorOf>*</mirrorOf><url>file://{}</url>",
       encode_percent_path(fs::absolute(order.to).lexically_normal().string()));
  return files;
}

std::vector<ExportedFile> export_charts(const LayoutOrder& order) {
  return write_layout(order, helm::chart_repository(with_needs(order, {"chart"})));
}

}  // namespace liftlock
