#include "ecosystem/git/lfs_batch.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::git {
namespace {

constexpr int k_depth = 12;
constexpr std::size_t k_max_href = 8192, k_max_headers = 32, k_max_header = 8192, k_max_name = 100, k_max_oid = 256;
constexpr std::string_view k_answer = "the answer of the LFS server", k_question = "the request";

bool is_plain(std::string_view text, char least) {
  return std::all_of(text.begin(), text.end(), [least](char c) { return c >= least && c < 0x7f; });
}

/// For messages: without what may be a secret, which is a signature in its query, or a login.
std::string shown_href(std::string_view href) {
  href = href.substr(0, href.find_first_of("?#"));
  const auto at = href.rfind('@');
  if (at != std::string_view::npos) return "…" + printable(href.substr(at, 200));
  return printable(href.substr(0, 200));
}

std::string checked_href(std::string href, LfsScheme scheme) {
  const bool secure = href.starts_with("https://");
  if (href.size() > k_max_href || !is_plain(href, '!') || (!secure && !href.starts_with("http://")))
    fail(ErrorCode::schema_violation, "{} leads to '{}'", k_answer, shown_href(href));
  if (!secure && scheme == LfsScheme::https) fail(ErrorCode::schema_violation, "{} leads from https to http", k_answer);
  return href;
}

/// What decides over the request itself is not the server's to say.
bool may_be_set(std::string_view name) {
  constexpr std::array<std::string_view, 15> k_ours = {"accept-encoding",
                                                       "connection",
                                                       "content-length",
                                                       "cookie",
                                                       "cookie2",
                                                       "expect",
                                                       "host",
                                                       "if-range",
                                                       "keep-alive",
                                                       "range",
                                                       "te",
                                                       "trailer",
                                                       "transfer-encoding",
                                                       "upgrade",
                                                       "x-method-override"};
  // Servers behind CGI and WSGI know no difference.
  auto lower = to_lower(name);
  std::replace(lower.begin(), lower.end(), '_', '-');
  const bool is_token =
      !name.empty() && name.size() <= k_max_name && std::all_of(lower.begin(), lower.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  return is_token && !lower.starts_with("proxy-") && !lower.starts_with("x-http-method") &&
         std::find(k_ours.begin(), k_ours.end(), lower) == k_ours.end();
}

std::vector<std::pair<std::string, std::string>> headers_of(const Json& action) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto found = action.find("header");
  if (found == action.end() || found->is_null()) return out;
  if (!found->is_object() || found->size() > k_max_headers)
    fail(ErrorCode::schema_violation, "{} has headers that are none, or more than {}", k_answer, k_max_headers);
  for (const auto& [name, value] : found->items()) {
    if (!may_be_set(name) || !value.is_string())
      fail(ErrorCode::schema_violation, "{} sets the header '{}'", k_answer, printable(name.substr(0, 100)));
    const auto text = value.get<std::string>();
    if (text.size() > k_max_header || !is_plain(text, ' '))
      fail(ErrorCode::schema_violation, "{} sets the header '{}' to what is no line", k_answer, printable(name));
    out.emplace_back(name, text);
  }
  return out;
}

/// RFC 3339, to the second, with or without fractions and offset; nullopt for what is none, and for the year 1, which
/// servers write who mean nothing by it.
std::optional<Timestamp> expiry_of(std::string_view text) {
  constexpr std::size_t k_seconds = 19;
  if (text.size() <= k_seconds || text.size() > 40) return std::nullopt;
  auto rest = text.substr(k_seconds);
  if (rest.front() == '.') rest.remove_prefix(std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  try {
    auto out = parse_time(std::string(text.substr(0, k_seconds)) + "Z");
    if (rest != "Z") {
      const bool is_offset = rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':';
      const auto hours = is_offset ? parse_uint(rest.substr(1, 2)) : std::nullopt;
      const auto minutes = is_offset ? parse_uint(rest.substr(4, 2)) : std::nullopt;
      if (!hours || !minutes) return std::nullopt;
      const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
      out += rest[0] == '-' ? offset : -offset;
    }
    if (out <= Timestamp()) return std::nullopt;
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<LfsDownload> download_of(const Json& object, const LfsPointer& asked, LfsScheme scheme) {
  const auto actions = object.find("actions");
  if (actions == object.end() || actions->is_null()) return std::nullopt;
  if (!actions->is_object()) fail(ErrorCode::schema_violation, "{}: 'actions' is no object", k_answer);
  if (!actions->contains("download")) return std::nullopt;
  const auto& action = object_member(*actions, "download", k_answer);
  if (const auto size = uint_member(object, "size", k_answer); size != asked.size) {
    fail(ErrorCode::size_mismatch, "the LFS server has {} with {} bytes, its pointer says {}", asked.oid.text(), size,
         asked.size);
  }
  LfsDownload out{checked_href(string_member(action, "href", k_answer), scheme), headers_of(action), std::nullopt};
  if (const auto found = object.find("authenticated"); found != object.end() && found->is_boolean())
    out.authenticated = found->get<bool>();
  if (const auto found = action.find("expires_in"); found != action.end() && found->is_number_integer())
    out.good_for = std::chrono::seconds(std::clamp<std::int64_t>(found->get<std::int64_t>(), 0, 86'400));
  if (const auto found = action.find("expires_at"); found != action.end() && found->is_string())
    out.expires_at = expiry_of(found->get_ref<const std::string&>());
  return out;
}

/// nullopt: the server does not have it.
std::optional<LfsDownload> answer_of(const Json& object, const LfsPointer& asked, LfsScheme scheme) {
  const auto error = object.find("error");
  if (error == object.end() || error->is_null()) return download_of(object, asked, scheme);
  const auto code = uint_member(*error, "code", k_answer);
  if (code == 404 || code == 410) return std::nullopt;
  throw Error(ErrorCode::http_status,
              fmt::format("the LFS server answers {} for {}: {}", code, asked.oid.text(),
                          printable(string_member_or(*error, "message", "", k_answer).substr(0, 300))),
              "check the credentials for this host in ~/.netrc; `lfs = false` leaves the files of Git LFS out");
}

void require_form(const Json& json) {
  if (const auto transfer = string_member_or(json, "transfer", "", k_answer); !transfer.empty() && transfer != "basic")
    fail(ErrorCode::schema_violation, "{} has another transfer than basic, which it was asked for", k_answer);
  if (string_member_or(json, "hash_algo", "sha256", k_answer) != "sha256")
    fail(ErrorCode::schema_violation, "{} has other names than SHA-256", k_answer);
}

}  // namespace

std::string lfs_question(std::span<const LfsPointer> wanted) {
  auto objects = Json::array();
  for (const auto& one : wanted) objects.push_back({{"oid", one.oid.hex()}, {"size", one.size}});
  return dump_json_line({{"operation", "download"},
                         {"transfers", Json::array({"basic"})},
                         {"hash_algo", "sha256"},
                         {"objects", std::move(objects)}});
}

std::vector<std::optional<LfsDownload>> parse_lfs_answer(std::string_view text, std::span<const LfsPointer> asked,
                                                         LfsScheme scheme) {
  const auto json = parse_json(text, {.max_bytes = k_max_lfs_answer, .max_depth = k_depth});
  const auto& objects = array_member(json, "objects", k_answer);
  require_form(json);
  std::map<std::string, std::size_t> open;  // what is not answered yet
  for (std::size_t i = 0; i < asked.size(); ++i) open.emplace(asked[i].oid.hex(), i);
  std::vector<std::optional<LfsDownload>> out(asked.size());
  for (const auto& object : objects) {
    const auto oid = string_member(object, "oid", k_answer);
    const auto found = open.find(oid);
    if (found == open.end()) {
      fail(ErrorCode::schema_violation, "{} has {}, which was not asked for, or answered before", k_answer,
           printable(oid.substr(0, 100)));
    }
    out[found->second] = answer_of(object, asked[found->second], scheme);
    open.erase(found);
  }
  if (!open.empty()) fail(ErrorCode::schema_violation, "{} has no word of {}", k_answer, open.begin()->first);
  return out;
}

LfsQuestion parse_lfs_question(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_lfs_question, .max_depth = k_depth});
  LfsQuestion out;
  const auto operation = string_member(json, "operation", k_question);
  if (operation == "upload") {
    out.operation = LfsQuestion::Operation::upload;
  } else if (operation != "download") {
    fail(ErrorCode::schema_violation, "there is no operation '{}'", printable(operation.substr(0, 100)));
  }
  if (const auto found = json.find("transfers"); found != json.end() && found->is_array() && !found->empty())
    out.basic = std::find(found->begin(), found->end(), Json("basic")) != found->end();
  out.sha256 = string_member_or(json, "hash_algo", "sha256", k_question) == "sha256";
  const auto& objects = array_member(json, "objects", k_question);
  if (objects.size() > k_max_lfs_asked)
    fail(ErrorCode::limit_exceeded, "{} objects are asked for, of at most {}", objects.size(), k_max_lfs_asked);
  for (const auto& object : objects) {
    LfsAsked one{string_member(object, "oid", k_question), uint_member(object, "size", k_question)};
    if (one.oid.size() > k_max_oid) fail(ErrorCode::limit_exceeded, "an oid has more than {} bytes", k_max_oid);
    out.objects.push_back(std::move(one));
  }
  return out;
}

}  // namespace liftlock::git
