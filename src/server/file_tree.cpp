#include "server/file_tree.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/error.hpp"
#include "base/json.hpp"
#include "ecosystem/route.hpp"

namespace liftlock {
namespace {

std::string content_type(std::string_view path) {
  constexpr std::pair<std::string_view, std::string_view> k_types[] = {
      {".json", "application/json"},         {".jsonl", "application/jsonl"},
      {".txt", "text/plain; charset=utf-8"}, {".md", "text/plain; charset=utf-8"},
      {".asc", "text/plain; charset=utf-8"}, {".gz", "application/gzip"},
      {".tar", "application/x-tar"},         {".whl", "application/zip"},
  };
  for (const auto& [suffix, type] : k_types) {
    if (path.ends_with(suffix)) return std::string(type);
  }
  return "application/octet-stream";
}

}  // namespace

void FileTree::add(std::string path, const ArtifactFile& file) {
  m_entries.push_back({std::move(path), file.digest, file.size, nullptr});
}

void FileTree::add(std::string path, const Digest& digest, std::string content) {
  const auto size = content.size();
  m_entries.push_back({std::move(path), digest, size, std::make_shared<const std::string>(std::move(content))});
}

void FileTree::seal() {
  const auto by_path = [](const Entry& a, const Entry& b) { return a.path < b.path; };
  std::stable_sort(m_entries.begin(), m_entries.end(), by_path);
  // Of equal paths the last one stays.
  const auto same = [](const Entry& a, const Entry& b) { return a.path == b.path; };
  const auto first = std::unique(m_entries.rbegin(), m_entries.rend(), same);
  m_entries.erase(m_entries.begin(), first.base());
}

HttpResponse FileTree::answer(const BlobStore& blobs, std::string_view path) const {
  const auto before = [](const Entry& entry, std::string_view wanted) { return std::string_view(entry.path) < wanted; };
  const auto found = std::lower_bound(m_entries.begin(), m_entries.end(), path, before);
  if (found == m_entries.end() || found->path != path) return list(path);
  if (!found->content) {
    return blob_response(blobs, ArtifactFile{RelPath::parse("f"), found->size, found->digest, {}, {}},
                         content_type(path));
  }
  HttpResponse response;
  response.body = found->content;
  response.audit_subject = found->digest.text();
  return response.set("Content-Type", content_type(path)).set("ETag", "\"" + found->digest.hex() + "\"");
}

HttpResponse FileTree::list(std::string_view folder) const {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  const auto prefix = folder.empty() ? std::string() : std::string(folder) + "/";
  const auto before = [](const Entry& entry, std::string_view wanted) { return std::string_view(entry.path) < wanted; };
  auto at = std::lower_bound(m_entries.begin(), m_entries.end(), std::string_view(prefix), before);
  Json entries = Json::array();
  while (at != m_entries.end() && at->path.starts_with(prefix)) {
    const auto rest = std::string_view(at->path).substr(prefix.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) {
      entries.push_back({{"name", rest}, {"type", "file"}, {"size", at->size}, {"sha256", at->digest.hex()}});
      ++at;
      continue;
    }
    entries.push_back({{"name", rest.substr(0, slash)}, {"type", "folder"}});
    // '0' is the byte after '/': the first path behind everything in that folder.
    at = std::lower_bound(at, m_entries.end(), std::string_view(prefix + std::string(rest.substr(0, slash)) + "0"),
                          before);
  }
  if (entries.empty() && !folder.empty()) fail(ErrorCode::not_found, "there is nothing at '{}'", folder);
  return text_response(200, "application/json",
                       dump_json({{"path", std::string(folder)}, {"entries", std::move(entries)}}));
}

}  // namespace liftlock
