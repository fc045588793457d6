#include "ecosystem/git/lfs_server.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/source_files.hpp"
#include "fetch/url.hpp"

namespace liftlock::git {
namespace {

constexpr std::string_view k_https = "https://", k_http = "http://", k_objects = "/objects/";
constexpr std::chrono::seconds k_good_for{300};

bool is_web(std::string_view url) {
  return url.starts_with(k_https) || url.starts_with(k_http);
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// The same, or from http to https of one host where both are at the ports that are their own.
bool stays_at_origin(const std::string& url, const std::string& source) {
  const auto to = parse_url(url), from = parse_url(source);
  if (to.same_origin(from)) return true;
  return from.scheme == "http" && from.port == "80" && to.scheme == "https" && to.port == "443" &&
         to_lower(to.host) == to_lower(from.host);
}

/// '?' and '#' would swallow what is put behind the address, so that anything of its host could be asked.
bool can_be_continued(std::string_view url) {
  return url.find_first_of("?#") == std::string_view::npos;
}

/// A repository says where its files are, and what is asked there is asked with the user's credentials: another origin
/// is for the stack to name.
void require_same_origin(const std::string& url, const std::string& source, std::string_view where) {
  if (is_web(url) && !can_be_continued(url)) {
    throw Error(ErrorCode::unresolvable,
                fmt::format("{}: lfs.url in .lfsconfig of the repository has a '?' or '#', which no address of a "
                            "server of Git LFS has",
                            where),
                "say in the stack where its files are: lfs_url = \"https://…\"; `lfs = false` leaves them out");
  }
  if (is_web(url) && stays_at_origin(url, source)) return;
  const auto shown = is_web(url) ? shown_url(url) : printable(url.substr(0, 200));
  throw Error(
      ErrorCode::unresolvable,
      fmt::format("{}: .lfsconfig of the repository says that its files of Git LFS are elsewhere: {}", where, shown),
      fmt::format("if that is right, say so in the stack: lfs_url = \"{}\"; `lfs = false` leaves them out",
                  is_web(url) ? shown : "https://…"));
}

}  // namespace

std::optional<LfsAddress> lfs_address(const StackEntry& entry, const std::string& source,
                                      const std::optional<std::string>& configured) {
  if (const auto stated = entry.text("lfs_url"); !stated.empty()) {
    if (!is_web(stated))
      fail(ErrorCode::stack_invalid, "{}: lfs_url is '{}', which is not https://", entry.where(), printable(stated));
    refuse_credentials(stated, entry.where());
    if (!can_be_continued(stated))
      fail(ErrorCode::stack_invalid, "{}: lfs_url has a '?' or '#': {}", entry.where(), shown_url(stated));
    return LfsAddress{without_slash(stated), LfsAddress::By::stack};
  }
  if (!is_web(source)) return std::nullopt;
  if (configured) {
    require_same_origin(*configured, source, entry.where());
    refuse_credentials(*configured, entry.where() + ", .lfsconfig");
    return LfsAddress{without_slash(*configured), LfsAddress::By::repository};
  }
  const auto plain = without_slash(source);
  return LfsAddress{fmt::format("{}{}/info/lfs", plain, plain.ends_with(".git") ? "" : ".git"), LfsAddress::By::nobody};
}

std::string LfsServer::name_of(const Digest& oid) const {
  return fmt::format("{}{}{}", m_address, k_objects, oid.hex());
}

std::optional<std::string> LfsServer::address_in(std::string_view name, const Digest& oid) {
  const auto end = fmt::format("{}{}", k_objects, oid.hex());
  if (!is_web(name) || !name.ends_with(end)) return std::nullopt;
  return std::string(name.substr(0, name.size() - end.size()));
}

std::vector<std::optional<LfsDownload>> LfsServer::ask(std::span<const LfsPointer> wanted) const {
  DocumentRequest request{.url = fmt::format("{}{}batch", m_address, k_objects),
                          .headers = {{"Accept", std::string(k_lfs_type)}, {"Content-Type", std::string(k_lfs_type)}},
                          .max_bytes = k_max_lfs_answer,
                          .body = lfs_question(wanted)};
  if (m_absence == Absence::means_none) request.accepted_status = {200, 404, 405, 501};
  try {
    const auto answer = m_downloader->get(request);
    if (answer.status != 200) return std::vector<std::optional<LfsDownload>>(wanted.size());
    return parse_lfs_answer(answer.body, wanted, m_address.starts_with(k_https) ? LfsScheme::https : LfsScheme::http);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::http_status) throw;
    throw Error(error.code(), error.message(),
                "the server of Git LFS is asked with what ~/.netrc has for its host; `lfs_url` names another one, and "
                "`lfs = false` leaves the files of Git LFS out");
  }
}

std::set<Digest> LfsServer::lacking(std::span<const LfsPointer> wanted) const {
  std::set<Digest> out;
  while (!wanted.empty()) {
    const auto some = wanted.first(std::min(wanted.size(), k_lfs_at_once));
    const auto answers = ask(some);
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (!answers[i]) out.insert(some[i].oid);
    }
    wanted = wanted.subspan(some.size());
  }
  return out;
}

std::chrono::seconds lfs_good_for(const LfsDownload& download, Timestamp now) {
  auto out = std::min(k_good_for, download.good_for.value_or(k_good_for));
  if (download.expires_at) out = std::min<std::chrono::seconds>(out, *download.expires_at - now);
  return std::max(out, std::chrono::seconds(0));
}

FetchPlace fetch_place(const LfsDownload& download, const std::string& address) {
  const bool is_own = !download.authenticated && parse_url(download.href).same_origin(parse_url(address));
  FetchPlace out{download.href, {}, is_own ? Logins::own : Logins::none};
  for (const auto& [name, value] : download.headers) out.headers.push_back({name, value});
  return out;
}

void LfsPlaces::ask_from(std::size_t index) {
  const auto some = std::span(m_wanted).subspan(index, std::min(m_wanted.size() - index, k_lfs_at_once));
  const auto now = Clock::now();
  // Not now() of documents, which SOURCE_DATE_EPOCH may stop.
  const auto time = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto answers = m_server.ask(some);
  for (std::size_t i = 0; i < some.size(); ++i) {
    m_known[index + i].reset();
    if (answers[i]) m_known[index + i] = Known{*answers[i], now + lfs_good_for(*answers[i], time)};
  }
}

FetchPlace LfsPlaces::place_of(std::size_t index) {
  auto& known = m_known.at(index);
  if (!known || known->until <= Clock::now()) ask_from(index);
  if (!known) {
    throw Error(ErrorCode::upstream_changed,
                fmt::format("the server of Git LFS no longer has {}", m_wanted[index].oid.text()),
                "`liftlock lock --update` of this repository asks what it has now");
  }
  return fetch_place(known->download, m_server.address());
}

}  // namespace liftlock::git
