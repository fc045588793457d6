#include "ecosystem/model/hub_protocol.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "ecosystem/hub/git_oid.hpp"
#include "ecosystem/hub/repository.hpp"

namespace liftlock {
namespace {

constexpr JsonLimits k_limits{.max_bytes = 64u << 20, .max_depth = 16};

std::string license_of(const Json& document) {
  const auto card = document.find("cardData");
  if (card != document.end() && card->is_object()) {
    const auto license = card->find("license");
    if (license != card->end() && license->is_string()) return license->get<std::string>().substr(0, 200);
    if (license != card->end() && license->is_array() && !license->empty() && license->front().is_string()) {
      return license->front().get<std::string>().substr(0, 200);
    }
  }
  const auto tags = document.find("tags");
  if (tags == document.end() || !tags->is_array()) return {};
  for (const auto& tag : *tags) {
    const auto text = tag.is_string() ? tag.get<std::string>() : std::string();
    if (text.starts_with("license:")) return text.substr(8, 200);
  }
  return {};
}

}  // namespace

std::string parse_hub_repository(std::string_view source, std::string_view where) {
  const auto repository = source.substr(3);
  if (!hub::is_repository(repository)) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: '{}' names no repository", where, printable(source)),
                "write hf:ORG/NAME; files are chosen with include, the version with revision");
  }
  return std::string(repository);
}

HubRevision parse_hub_revision(std::string_view json) {
  constexpr std::string_view k_where = "the Hub's answer about the revision";
  const auto document = parse_json(json, k_limits);
  HubRevision out;
  out.commit = string_member(document, "sha", k_where);
  if (!is_git_oid(out.commit)) fail(ErrorCode::schema_violation, "{}: 'sha' is no commit", k_where);
  out.license = license_of(document);
  const auto gated = document.find("gated");
  out.gated = gated != document.end() && !gated->is_null() && *gated != Json(false);
  return out;
}

std::vector<HubFile> parse_hub_tree(std::string_view json) {
  constexpr std::string_view k_where = "the Hub's list of files";
  const auto document = parse_json(json, k_limits);
  if (!document.is_array()) fail(ErrorCode::schema_violation, "{}: an array is expected", k_where);
  std::vector<HubFile> files;
  for (const auto& entry : document) {
    const auto type = string_member(entry, "type", k_where);
    if (type == "directory") continue;
    if (type != "file") fail(ErrorCode::schema_violation, "{}: an entry of type '{}'", k_where, printable(type));
    HubFile file;
    file.path = string_member(entry, "path", k_where);
    file.size = uint_member(entry, "size", k_where);
    file.git_oid = string_member(entry, "oid", k_where);
    if (!is_git_oid(file.git_oid)) fail(ErrorCode::schema_violation, "{}: 'oid' is no SHA-1", k_where);
    const auto lfs = entry.find("lfs");
    if (lfs != entry.end() && !lfs->is_null()) {
      file.sha256 = Digest::parse_sha256_hex(string_member(*lfs, "oid", k_where));
      file.size = uint_member(*lfs, "size", k_where);
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::optional<std::string> next_link(std::string_view header) {
  while (!header.empty()) {
    const auto open = header.find('<');
    const auto close = open == std::string_view::npos ? open : header.find('>', open);
    if (close == std::string_view::npos) return std::nullopt;
    const auto target = header.substr(open + 1, close - open - 1);
    const auto following = header.find('<', close);
    const auto parameters =
        header.substr(close + 1, following == std::string_view::npos ? following : following - close - 1);
    for (const auto parameter : split(parameters, ';')) {
      const auto text = trim(parameter.substr(0, parameter.find(',')));
      if (text == "rel=\"next\"" || text == "rel=next") return std::string(target);
    }
    header.remove_prefix(following == std::string_view::npos ? header.size() : following);
  }
  return std::nullopt;
}

std::string origin_of_url(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return to_lower(url.substr(0, url.find_first_of("/?#", scheme + 3)));
}

}  // namespace liftlock
