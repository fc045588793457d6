#include "bundle/manifest.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "artifact/artifact_lines.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json_text.hpp"
#include "base/plain_json.hpp"
#include "base/text.hpp"
#include "bundle/import_channel.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_format = "liftlock.bundle/1";
constexpr std::string_view k_where = "bundle.json";
constexpr std::size_t k_max_lists = 1000;
constexpr std::size_t k_max_pending = 1000;
constexpr std::size_t k_max_text = 256;

constexpr std::array<std::string_view, 11> k_content_folders = {"binaries", "certs",    "charts",  "engines",
                                                                "evidence", "files",    "images",  "models",
                                                                "packages", "patterns", "datasets"};

/// Files that are made while packing and so belong to no artifact. Anything else without one would go uninspected.
constexpr std::array<std::string_view, 2> k_generated = {"images/index.json", "images/oci-layout"};

constexpr std::string_view k_mode = "0644";
/// Of one file: exact in any JSON reader.
constexpr std::uint64_t k_max_size = (1ull << 53) - 1;
constexpr std::uint64_t k_max_sum = 1ull << 62;  ///< of a list

/// Sequences stay exact in any JSON reader.
constexpr std::uint64_t k_max_sequence = 1ull << 53;

Json digests(const Digest& digest) {
  return {{"sha256", digest.hex()}};
}

Digest digest_of(const Json& object, std::string_view where) {
  return Digest::parse_sha256_hex(string_member(object_member(object, "digests", where), "sha256", where));
}

std::string short_string(const Json& object, std::string_view key) {
  auto text = string_member(object, key, k_where);
  if (text.size() > k_max_text) fail(ErrorCode::limit_exceeded, "{}: '{}' is longer than {}", k_where, key, k_max_text);
  return text;
}

/// A channel names folders and log lines: one portable component, no blanks.
std::string channel_name(const Json& object) {
  auto channel = short_string(object, "channel");
  if (portable_component(channel) != channel) {
    fail(ErrorCode::schema_violation, "{}: '{}' is no channel name", k_where, printable(channel));
  }
  if (channel == k_import_channel) {
    fail(ErrorCode::schema_violation, "{}: the channel '{}' is kept for what comes in without a bundle", k_where,
         channel);
  }
  return channel;
}

bool is_null_or_absent(const Json& object, const char* key) {
  return !object.contains(key) || object[key].is_null();
}

void check_reader(const Json& document) {
  const auto format = string_member(document, "format", k_where);
  const auto needed = uint_member(document, "min_reader", k_where);
  if (needed > k_bundle_reader) {
    fail(ErrorCode::too_new, "the bundle needs a reader of version {}, and this one is {}", needed, k_bundle_reader);
  }
  if (format != k_format) fail(ErrorCode::too_new, "'{}' is no bundle format that is known here", printable(format));
  for (const auto& field : array_member(document, "critical", k_where)) {
    // Version 1 knows no critical extension.
    fail(ErrorCode::too_new, "the bundle demands the extension {}, which is not known here", printable(field.dump()));
  }
}

std::map<RelPath, BoundFile> parse_lists(const Json& document) {
  const auto& lists = object_member(document, "lists", k_where);
  if (lists.size() > k_max_lists) fail(ErrorCode::limit_exceeded, "{}: {} lists", k_where, lists.size());
  std::map<RelPath, BoundFile> out;
  for (const auto& [path, entry] : lists.items()) {
    out.emplace(RelPath::parse(path), BoundFile{uint_member(entry, "size", k_where), digest_of(entry, k_where)});
  }
  for (const auto required : {k_readme_path, k_checksums_path, k_files_list_path, k_artifacts_list_path, k_sbom_path}) {
    if (!out.contains(RelPath::parse(required)))
      fail(ErrorCode::schema_violation, "{}: '{}' is not bound", k_where, required);
  }
  for (const auto& [path, bound] : out) {
    const bool known = path.text() == k_readme_path || path.text() == k_checksums_path || path.is_under("manifest");
    if (!known || path.text() == k_bundle_json_path) {
      fail(ErrorCode::schema_violation, "{}: '{}' cannot be a list", k_where, path.text());
    }
    if (bound.size > bundle_limits::k_list)
      fail(ErrorCode::limit_exceeded, "{}: '{}' is too large", k_where, path.text());
  }
  return out;
}

std::optional<LeftOut> parse_builds_on(const Json& document, const std::map<RelPath, BoundFile>& lists) {
  const bool listed = lists.contains(RelPath::parse(k_left_out_list_path));
  if (is_null_or_absent(document, "builds_on") == listed) {
    fail(ErrorCode::schema_violation, "{}: 'builds_on' and '{}' go together", k_where, k_left_out_list_path);
  }
  if (!listed) return std::nullopt;
  const auto& json = object_member(document, "builds_on", k_where);
  return LeftOut{string_member(json, "base", k_where), digest_of(json, k_where), uint_member(json, "files", k_where),
                 uint_member(json, "bytes", k_where)};
}

std::optional<PreviousBundle> parse_previous(const Json& document) {
  if (is_null_or_absent(document, "previous")) return std::nullopt;
  const auto& previous = object_member(document, "previous", k_where);
  return PreviousBundle{uint_member(previous, "sequence", k_where), digest_of(previous, k_where)};
}

std::vector<std::uint64_t> parse_pending(const Json& document, std::uint64_t sequence) {
  const auto& pending = array_member(document, "pending", k_where);
  if (pending.size() > k_max_pending)
    fail(ErrorCode::limit_exceeded, "{}: {} pending sequences", k_where, pending.size());
  std::vector<std::uint64_t> out;
  for (const auto& value : pending) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= sequence ||
        (!out.empty() && value.get<std::uint64_t>() <= out.back())) {
      fail(ErrorCode::schema_violation, "{}: 'pending' must rise and stay below the sequence", k_where);
    }
    out.push_back(value.get<std::uint64_t>());
  }
  return out;
}

/// Calls visit for each line; every line ends in a newline.
void for_each_line(std::string_view text, std::uint64_t max_line, std::string_view where,
                   const std::function<void(std::string_view)>& visit) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) fail(ErrorCode::schema_violation, "{}: the last line does not end", where);
    if (end > max_line) fail(ErrorCode::limit_exceeded, "{}: a line of {} bytes", where, end);
    try {
      visit(text.substr(0, end));
    } catch (Error& error) {
      error.add_context(fmt::format("in line {} of {}", number, where));
      throw;
    }
    text.remove_prefix(end + 1);
  }
}

/// What write_file_entry() writes of most files; nullopt for anything else.
std::optional<FileEntry> plain_file_entry(std::string_view line) {
  if (line.size() > bundle_limits::k_file_line) return std::nullopt;
  PlainJson json(line);
  if (!json.take('{') || !json.key("artifacts") || !json.take('[')) return std::nullopt;
  std::vector<std::string> artifacts;
  if (!json.take(']')) {
    do {
      const auto id = json.text();
      if (!id) return std::nullopt;
      artifacts.emplace_back(*id);
    } while (json.take(','));
    if (!json.take(']')) return std::nullopt;
  }
  if (!json.take(',') || !json.key("digests") || !json.take('{') || !json.key("sha256")) return std::nullopt;
  const auto hex = json.text();
  if (!hex || !json.take('}') || !json.take(',') || !json.key("mode") || json.text() != k_mode) return std::nullopt;
  if (!json.take(',') || !json.key("path")) return std::nullopt;
  const auto path_text = json.text();
  if (!path_text || !json.take(',') || !json.key("size")) return std::nullopt;
  const auto size = json.number();
  if (!size || *size > k_max_size || !json.take('}') || !json.at_end()) return std::nullopt;
  auto path = RelPath::try_parse(*path_text);
  const auto digest = Digest::try_parse("sha256:" + std::string(*hex));
  if (!path || !digest) return std::nullopt;
  return FileEntry{std::move(*path), *size, *digest, std::move(artifacts)};
}

/// The same bytes are staged once, and so measured once.
void check_sizes(const std::vector<FileEntry>& files) {
  std::unordered_map<Digest, const FileEntry*> first;
  first.reserve(files.size());
  for (const auto& file : files) {
    const auto& other = *first.try_emplace(file.digest, &file).first->second;
    if (other.size == file.size) continue;
    fail(ErrorCode::schema_violation, "'{}' and '{}' have one SHA-256 and two sizes", other.path.text(),
         file.path.text());
  }
}

/// No file may stand where another file needs a folder, nor meet another when case is ignored.
void check_collisions(const std::vector<FileEntry>& files) {
  std::unordered_set<std::string> folded;
  folded.reserve(files.size());
  for (const auto& file : files) {
    if (!folded.insert(file.path.case_folded()).second) {
      fail(ErrorCode::path_collision, "'{}' meets another path when case is ignored", file.path.text());
    }
  }
  std::string_view checked;  // the folder of the file before, which mostly is that of the next one
  for (const auto& file : files) {
    if (file.path.parent() == checked) continue;
    checked = file.path.parent();
    const auto whole = file.path.case_folded();
    for (auto slash = whole.find('/'); slash != std::string::npos; slash = whole.find('/', slash + 1)) {
      if (folded.contains(whole.substr(0, slash))) {
        fail(ErrorCode::path_collision, "'{}' is a file, and a folder of '{}'", whole.substr(0, slash),
             file.path.text());
      }
    }
  }
}

}  // namespace

std::string write_bundle_info(const BundleInfo& info) {
  auto lists = Json::object();
  for (const auto& [path, bound] : info.lists) {
    lists[path.text()] = {{"size", bound.size}, {"digests", digests(bound.digest)}};
  }
  Json document = {{"format", k_format},
                   {"min_reader", info.builds_on ? 2 : 1},
                   {"critical", Json::array()},
                   {"channel", info.channel},
                   {"sequence", info.sequence},
                   {"pending", info.pending},
                   {"previous", nullptr},
                   {"bundle_version", info.bundle_version},
                   {"creator", info.creator},
                   {"creation_date", format_time(info.creation_date)},
                   {"expires", nullptr},
                   {"low_side_host", info.low_side_host},
                   {"stack", info.stack},
                   {"lock", nullptr},
                   {"builds_on", nullptr},
                   {"content",
                    {{"form", info.form == ContentForm::tree ? "tree" : "tar"},
                     {"files", info.content_files},
                     {"bytes", info.content_bytes}}},
                   {"lists", std::move(lists)}};
  if (info.previous) {
    document["previous"] = {{"sequence", info.previous->sequence}, {"digests", digests(info.previous->digest)}};
  }
  if (info.builds_on) {
    document["builds_on"] = {{"base", info.builds_on->base},
                             {"digests", digests(info.builds_on->digest)},
                             {"files", info.builds_on->files},
                             {"bytes", info.builds_on->bytes}};
  }
  if (info.expires) document["expires"] = format_time(*info.expires);
  if (!info.expedited.empty()) document["expedited"] = info.expedited;
  if (info.lock) document["lock"] = {{"digests", digests(*info.lock)}};
  if (info.models_directory_hash) document["artifacts"] = {{"models_directory_hash", *info.models_directory_hash}};
  return dump_json(document);
}

void require_no_future(const BundleInfo& info, Timestamp when) {
  constexpr std::chrono::hours k_tolerance{24};
  if (info.creation_date <= when + k_tolerance) return;
  fail(ErrorCode::clock_behind, "the bundle was made at {}, and this machine's clock says {}",
       format_time(info.creation_date), format_time(when));
}

BundleInfo parse_bundle_info(std::string_view text) {
  const auto document = with_context("in manifest/bundle.json", [&] {
    return parse_json(text, {.max_bytes = bundle_limits::k_bundle_json, .max_depth = 8});
  });
  check_reader(document);
  BundleInfo info;
  info.channel = channel_name(document);
  info.sequence = uint_member(document, "sequence", k_where);
  if (info.sequence > k_max_sequence) fail(ErrorCode::limit_exceeded, "{}: sequences end at 2^53", k_where);
  if (info.sequence == 0) fail(ErrorCode::schema_violation, "{}: sequences begin at 1", k_where);
  info.pending = parse_pending(document, info.sequence);
  info.previous = parse_previous(document);
  info.bundle_version = short_string(document, "bundle_version");
  info.creator = short_string(document, "creator");
  info.creation_date = parse_time(string_member(document, "creation_date", k_where));
  if (!is_null_or_absent(document, "expires")) info.expires = parse_time(string_member(document, "expires", k_where));
  if (!is_null_or_absent(document, "expedited")) info.expedited = short_string(document, "expedited");
  info.low_side_host = short_string(document, "low_side_host");
  info.stack = short_string(document, "stack");
  if (!is_null_or_absent(document, "lock")) info.lock = digest_of(object_member(document, "lock", k_where), k_where);
  if (!is_null_or_absent(document, "artifacts")) {
    info.models_directory_hash =
        string_member(object_member(document, "artifacts", k_where), "models_directory_hash", k_where);
  }
  const auto& content = object_member(document, "content", k_where);
  const auto form = string_member(content, "form", k_where);
  if (form != "tree" && form != "tar")
    fail(ErrorCode::too_new, "{}: the content form '{}' is not known here", k_where, printable(form));
  info.form = form == "tree" ? ContentForm::tree : ContentForm::tar;
  info.content_files = uint_member(content, "files", k_where);
  info.content_bytes = uint_member(content, "bytes", k_where);
  info.lists = parse_lists(document);
  info.builds_on = parse_builds_on(document, info.lists);
  return info;
}

std::string write_file_entry(const FileEntry& entry) {
  JsonText out(JsonText::Style::line);
  out.begin_object().key("artifacts").begin_array();
  for (const auto& id : entry.artifacts) out.text(id);
  out.end_array().key("digests").begin_object().key("sha256").text(entry.digest.hex()).end_object();
  out.key("mode").text(k_mode).key("path").text(entry.path.text()).key("size").number(entry.size).end_object();
  return out.take() + "\n";
}

FileEntry parse_file_entry(std::string_view line) {
  constexpr std::string_view where = "files.jsonl";
  if (auto plain = plain_file_entry(line)) return std::move(*plain);
  const auto json = parse_json(line, {.max_bytes = bundle_limits::k_file_line, .max_depth = 4});
  FileEntry entry{
      RelPath::parse(string_member(json, "path", where)), uint_member(json, "size", where), digest_of(json, where), {}};
  if (string_member(json, "mode", where) != k_mode)
    fail(ErrorCode::schema_violation, "{}: the mode must be 0644", where);
  for (const auto& id : array_member(json, "artifacts", where)) {
    if (!id.is_string()) fail(ErrorCode::schema_violation, "{}: 'artifacts' must hold strings", where);
    entry.artifacts.push_back(id.get<std::string>());
  }
  if (entry.size > k_max_size)
    fail(ErrorCode::limit_exceeded, "{}: '{}' has {} bytes", where, entry.path.text(), entry.size);
  return entry;
}

bool is_content_path(const RelPath& path) {
  const auto slash = path.text().find('/');
  if (slash == std::string::npos) return false;
  const auto top = std::string_view(path.text()).substr(0, slash);
  return std::find(k_content_folders.begin(), k_content_folders.end(), top) != k_content_folders.end();
}

std::vector<FileEntry> parse_files_list(std::string_view text) {
  std::vector<FileEntry> files;
  std::uint64_t sum = 0;
  for_each_line(text, bundle_limits::k_file_line, "files.jsonl", [&](std::string_view line) {
    auto entry = parse_file_entry(line);
    if (!is_content_path(entry.path))
      fail(ErrorCode::schema_violation, "files.jsonl: '{}' is in no content folder", entry.path.text());
    if (!files.empty() && files.back().path == entry.path)
      fail(ErrorCode::path_collision, "files.jsonl lists '{}' twice", entry.path.text());
    if (!files.empty() && entry.path < files.back().path)
      fail(ErrorCode::schema_violation, "files.jsonl is not sorted at '{}'", entry.path.text());
    sum += entry.size;
    if (sum > k_max_sum) fail(ErrorCode::limit_exceeded, "files.jsonl: the sizes add up to more than 2^62");
    files.push_back(std::move(entry));
    if (files.size() > bundle_limits::k_files)
      fail(ErrorCode::limit_exceeded, "files.jsonl: more than {} files", bundle_limits::k_files);
  });
  check_collisions(files);
  check_sizes(files);
  return files;
}

std::vector<FileEntry> join_files(const std::vector<FileEntry>& carried, const std::vector<FileEntry>& left_out) {
  std::vector<FileEntry> all;
  all.reserve(carried.size() + left_out.size());
  std::merge(carried.begin(), carried.end(), left_out.begin(), left_out.end(), std::back_inserter(all),
             [](const auto& a, const auto& b) { return a.path < b.path; });
  check_collisions(all);
  check_sizes(all);
  return all;
}

std::vector<Artifact> parse_artifacts_list(std::string_view text, const std::vector<FileEntry>& files) {
  std::unordered_map<std::string_view, const FileEntry*> by_path;
  by_path.reserve(files.size());
  for (const auto& file : files) by_path.emplace(file.path.text(), &file);

  std::vector<Artifact> artifacts;
  std::size_t named = 0;
  std::string last_id;
  for_each_line(text, bundle_limits::k_artifact_line, "artifacts.jsonl", [&](std::string_view line) {
    auto artifact = parse_artifact(line, {.max_bytes = bundle_limits::k_artifact_line, .max_depth = 32});
    auto id = artifact.id();
    if (!artifacts.empty() && id <= last_id)
      fail(ErrorCode::schema_violation, "artifacts.jsonl is not sorted at '{}'", printable(id));
    for (const auto& file : artifact.files) {
      const auto found = by_path.find(file.path.text());
      if (found == by_path.end() || found->second->size != file.size || found->second->digest != file.digest ||
          std::find(found->second->artifacts.begin(), found->second->artifacts.end(), id) ==
              found->second->artifacts.end()) {
        fail(ErrorCode::schema_violation, "artifacts.jsonl and files.jsonl disagree about '{}' of {}", file.path.text(),
             printable(id));
      }
    }
    named += artifact.files.size();
    last_id = std::move(id);
    artifacts.push_back(std::move(artifact));
  });
  std::size_t claimed = 0;
  for (const auto& file : files) {
    claimed += file.artifacts.size();
    if (file.artifacts.empty() &&
        std::find(k_generated.begin(), k_generated.end(), file.path.text()) == k_generated.end()) {
      fail(ErrorCode::schema_violation, "files.jsonl: '{}' belongs to no artifact", file.path.text());
    }
  }
  if (claimed != named) {
    fail(ErrorCode::schema_violation, "files.jsonl names {} uses of files by artifacts, artifacts.jsonl {}", claimed,
         named);
  }
  return artifacts;
}

std::string checksum_line(const Digest& digest, const RelPath& path) {
  return fmt::format("{}  {}\n", digest.hex(), path.text());
}

}  // namespace liftlock
