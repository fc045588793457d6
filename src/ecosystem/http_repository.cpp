#include "ecosystem/http_repository.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <limits>
#include <span>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "net/origin.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// A multiple of 3, so that base64 of the pieces is base64 of the whole.
constexpr std::uint64_t k_piece = 192u << 10;
constexpr std::size_t k_max_link = 8u << 10;
constexpr std::size_t k_max_words = 200;

/// What the server says is wrong: how its page begins; nothing of one in HTML.
std::string words_of(const UnixResponse& answer) {
  auto text = printable(std::string_view(answer.body).substr(0, k_max_words));
  if (answer.header("Content-Type").starts_with("text/html") || text.empty()) return {};
  return ": " + text;
}

std::uint64_t base64_size(std::uint64_t size) {
  return (size + 2) / 3 * 4;
}

/// RFC 7578 §4.2: as browsers escape names.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"')
      out += "%22";
    else if (c == '\r')
      out += "%0D";
    else if (c == '\n')
      out += "%0A";
    else
      out += c;
  }
  return out;
}

/// Without "." and ".." (RFC 3986 §5.2.4).
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> parts;
  std::size_t at = 1;
  bool folder = false;
  while (at <= path.size()) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, end - at);
    folder = part.empty() || part == "." || part == "..";
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!folder) parts.push_back(part);
    at = end + 1;
  }
  std::string out;
  for (const auto part : parts) (out += '/') += part;
  return folder || out.empty() ? out + "/" : out;
}

}  // namespace

StoredBody::StoredBody(const BlobStore& store, const ArtifactFile& file, std::function<void(std::uint64_t)> progress,
                       std::string before, std::string after, Form form)
    : m_file(file),
      m_fd(store.open(file.digest)),
      m_progress(std::move(progress)),
      m_before(std::move(before)),
      m_after(std::move(after)),
      m_form(form) {}

std::uint64_t StoredBody::size() const {
  return m_before.size() + (m_form == Form::base64 ? base64_size(m_file.size) : m_file.size) + m_after.size();
}

std::string_view StoredBody::next() {
  if (m_state == State::before) {
    m_state = State::file;
    if (!m_before.empty()) return m_before;
  }
  if (m_state == State::file) {
    m_piece.resize(std::min(k_piece, m_file.size - m_at));
    const std::span into(reinterpret_cast<std::uint8_t*>(m_piece.data()), m_piece.size());
    if (!pread_exact(m_fd.get(), into, m_at, m_file.digest.text()))
      fail(ErrorCode::size_mismatch, "the store's {} is shorter than its manifest says", m_file.digest.text());
    m_at += m_piece.size();
    m_hasher.update(m_piece);
    if (m_at == m_file.size) {
      if (m_hasher.finish() != m_file.digest)
        fail(ErrorCode::blob_corrupt, "the store's own copy of {} has rotted", m_file.digest.text());
      m_state = State::after;
    }
    if (m_progress) m_progress(m_piece.size());
    if (!m_piece.empty() && m_form == Form::base64) return m_encoded = encode_base64(as_bytes(m_piece));
    if (!m_piece.empty()) return m_piece;
  }
  if (m_state == State::after) {
    m_state = State::end;
    if (!m_after.empty()) return m_after;
  }
  return {};
}

MultipartForm::MultipartForm(std::string_view seed) : m_boundary(fmt::format("liftlock-{}", sha256(seed).hex())) {}

void MultipartForm::add(std::string_view name, std::string_view value) {
  m_fields +=
      fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", m_boundary, quoted(name), value);
}

std::string MultipartForm::content_type() const {
  return "multipart/form-data; boundary=" + m_boundary;
}

std::string MultipartForm::before_file(std::string_view name, std::string_view filename) const {
  return fmt::format(
      "{}--{}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n",
      m_fields, m_boundary, quoted(name), quoted(filename));
}

std::string MultipartForm::after_file() const {
  return fmt::format("\r\n--{}--\r\n", m_boundary);
}

HttpRepository::HttpRepository(RepositoryAccess access, std::string table)
    : m_access(std::move(access)), m_table(std::move(table)), m_context(1) {}

std::string HttpRepository::below(std::string_view rest) const {
  return address().path + std::string(rest);
}

UnixRequest HttpRepository::prepared(UnixRequest request) const {
  request.headers.emplace_back("User-Agent", "liftlock/" LIFTLOCK_VERSION);
  if (!m_access.token.empty()) {
    request.headers.emplace_back("Authorization", "Bearer " + m_access.token);
  } else if (!m_access.login.empty()) {
    request.headers.emplace_back("Authorization", "Basic " + encode_base64(as_bytes(m_access.login)));
  }
  return request;
}

UnixClientLimits HttpRepository::limits(std::uint64_t max_answer) const {
  return {.max_body = max_answer,
          .connect = m_access.patience,
          .idle = m_access.patience,
          // A repository may work on what it was given before it answers.
          .first_byte = m_access.patience * 5,
          .total = std::chrono::hours(24)};
}

void HttpRepository::run(const std::function<asio::awaitable<void>()>& work) {
  std::exception_ptr failed;
  m_context.restart();
  asio::co_spawn(m_context, work(), [&](std::exception_ptr error) { failed = std::move(error); });
  m_context.run();
  if (!failed) return;
  try {
    std::rethrow_exception(failed);
  } catch (const Error& error) {
    auto text = fmt::format("{} ({}): {}", m_table, address().text(), error.message());
    switch (error.code()) {
      case ErrorCode::tls_invalid:
        throw Error(
            error.code(), std::move(text),
            fmt::format("its certificate must be for this name or address, and come from the CA in ca_file of {}",
                        m_table));
      case ErrorCode::network:
        throw Error(error.code(), std::move(text),
                    "is it up, and within networks of [gateway]? The same command goes on");
      case ErrorCode::limit_exceeded:
      case ErrorCode::http_status:
        throw Error(error.code(), std::move(text),
                    fmt::format("is the address of {} that of such a repository?", m_table));
      default:
        throw;
    }
  }
}

void HttpRepository::require_login(const UnixResponse& answer, const UnixRequest& request) const {
  if (answer.status != 401 && answer.status != 403) return;
  const bool has_login = !m_access.login.empty() || !m_access.token.empty();
  throw Error(ErrorCode::unauthorized,
              fmt::format("{} answers {} to {} {}{}",
                          has_login ? "the repository does not take the login, or does not let it do this: it"
                                    : "the repository wants a login: it",
                          answer.status, request.method, printable(request.target), words_of(answer)),
              fmt::format("put USER:PASSWORD of an account that may publish into the login_file of {}, or its token "
                          "into token_file",
                          m_table));
}

UnixResponse HttpRepository::ask(UnixRequest request, std::uint64_t max_answer) {
  const auto ready = prepared(std::move(request));
  UnixResponse answer;
  run([&]() -> asio::awaitable<void> {
    UpstreamExchange exchange(m_access.server, limits(max_answer));
    answer = co_await exchange.send(ready);
    answer.body = co_await exchange.read_all();
  });
  require_login(answer, ready);
  return answer;
}

UnixResponse HttpRepository::upload(UnixRequest request, RequestBody& body) {
  const auto ready = prepared(std::move(request));
  const auto bounds = limits(k_max_answer);
  UnixResponse answer;
  run([&]() -> asio::awaitable<void> { answer = co_await liftlock::upload(m_access.server, ready, body, bounds); });
  require_login(answer, ready);
  return answer;
}

HttpRepository::Found HttpRepository::compare(const std::string& target, const ArtifactFile& file) {
  const auto ready = prepared({.method = "GET", .target = target, .headers = {}, .body = {}});
  UnixResponse answer;
  auto found = Found::other;
  run([&]() -> asio::awaitable<void> {
    UpstreamExchange exchange(m_access.server, limits(std::numeric_limits<std::int64_t>::max()));
    answer = co_await exchange.send(ready);
    if (answer.status != 200) {
      answer.body = co_await exchange.read();
      co_return;
    }
    if (const auto length = answer.header("Content-Length"); !length.empty() && length != std::to_string(file.size))
      co_return;
    Hasher hasher;
    for (std::uint64_t got = 0;;) {
      const auto piece = co_await exchange.read();
      if (piece.empty()) break;
      got += piece.size();
      if (got > file.size) co_return;
      hasher.update(piece);
    }
    if (hasher.finish() == file.digest) found = Found::same;
  });
  require_login(answer, ready);
  if (answer.status == 404) return Found::nothing;
  if (answer.status != 200) refuse(answer, "the question for " + printable(target));
  return found;
}

void HttpRepository::put(const std::string& target, const BlobStore& store, const ArtifactFile& file,
                         const std::function<void(std::uint64_t)>& progress, const std::string& suffix) {
  switch (compare(target, file)) {
    case Found::same:
      if (progress) progress(file.size);
      return;
    case Found::other:
      throw Error(ErrorCode::immutable,
                  fmt::format("{} came there with other bytes since it was planned", printable(target)),
                  "nothing is ever written over: find out who put it there");
    case Found::nothing:
      break;
  }
  StoredBody body(store, file, progress);
  const auto answer = upload({.method = "PUT",
                              .target = target + suffix,
                              .headers = {{"Content-Type", "application/octet-stream"}},
                              .body = {}},
                             body);
  if (answer.status < 200 || answer.status > 204) refuse(answer, "the upload of " + printable(target));
}

void HttpRepository::refuse(const UnixResponse& answer, std::string_view what) const {
  if (answer.status == 429 || answer.status == 503)
    fail(ErrorCode::network, "the repository is busy ({} for {}){}", answer.status, what, words_of(answer));
  if (answer.status >= 300 && answer.status < 400) {
    throw Error(
        ErrorCode::http_status,
        fmt::format("the repository sends {} to '{}'", what, printable(answer.header("Location").substr(0, 200))),
        fmt::format("no redirect is followed: write the address that it leads to under {}", m_table));
  }
  if (answer.status == 413) {
    throw Error(ErrorCode::http_status,
                fmt::format("{} is larger than the repository takes (413){}", what, words_of(answer)),
                "raise its limit (client_max_body_size of nginx, and of a proxy in front), then run the same command");
  }
  throw Error(
      ErrorCode::http_status, fmt::format("the repository answers {} to {}{}", answer.status, what, words_of(answer)),
      fmt::format("what was sent before stays there, and the same command goes on; is the address of {} that of "
                  "such a repository?",
                  m_table));
}

std::optional<std::string> HttpRepository::resolve(std::string_view page, std::string_view link) const {
  link = link.substr(0, link.find('#'));
  const bool plain = std::all_of(link.begin(), link.end(), [](char c) { return c > 0x20 && c < 0x7F && c != '\\'; });
  if (link.empty() || link.size() > k_max_link || !plain || link.starts_with("//")) return std::nullopt;
  const auto here = target_at(address(), link);
  if (here) link = *here;
  const auto query = std::min(link.find('?'), link.size());
  const auto path = link.substr(0, query);
  if (path.find(':') < path.find('/')) return std::nullopt;  // a scheme
  const auto base = page.substr(0, page.find('?'));
  const auto whole =
      path.starts_with('/') ? std::string(path) : std::string(base.substr(0, base.rfind('/') + 1)) + std::string(path);
  return without_dots(whole) + std::string(link.substr(query));
}

}  // namespace liftlock
