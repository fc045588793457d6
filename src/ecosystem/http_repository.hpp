// High side: requests to one repository of the site, with its login. Talks to the one address that it was given;
// follows no redirects.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "crypto/hash.hpp"
#include "net/upload.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

struct RepositoryAccess {
  RemoteServer server;
  std::string login;                           ///< "USER:PASSWORD"; empty: none
  std::string token;                           ///< bearer; empty: none
  std::chrono::milliseconds patience{60'000};  ///< without a byte moving, either way
};

/// A file of the store, with bytes before and after it, as the body of a request. The file is read in pieces and hashed
/// as it goes: what rotted in the store makes next() throw Error{blob_corrupt} before the last piece of it leaves.
class StoredBody final : public RequestBody {
 public:
  enum class Form : std::uint8_t { plain, base64 };
  /// @param progress is told of bytes of the file as they go; may be empty. @throws Error{not_found}
  StoredBody(const BlobStore& store, const ArtifactFile& file, std::function<void(std::uint64_t)> progress,
             std::string before = {}, std::string after = {}, Form form = Form::plain);
  std::uint64_t size() const override;
  std::string_view next() override;

 private:
  ArtifactFile m_file;
  UniqueFd m_fd;
  std::function<void(std::uint64_t)> m_progress;
  std::string m_before, m_after;
  Form m_form;
  Hasher m_hasher;
  std::uint64_t m_at = 0;
  enum class State : std::uint8_t { before, file, after, end } m_state = State::before;
  std::string m_piece;
  std::string m_encoded;
};

/// multipart/form-data (RFC 7578): fields, then one file.
class MultipartForm {
 public:
  /// @param seed of the boundary, which no field may hold: the file's digest will do
  explicit MultipartForm(std::string_view seed);
  void add(std::string_view name, std::string_view value);
  std::string content_type() const;
  /// What stands before the bytes of the file.
  std::string before_file(std::string_view name, std::string_view filename) const;
  /// And after them.
  std::string after_file() const;

 private:
  std::string m_boundary;
  std::string m_fields;
};

class HttpRepository {
 public:
  /// @param table of config.toml, for errors
  HttpRepository(RepositoryAccess access, std::string table);
  HttpRepository(const HttpRepository&) = delete;
  HttpRepository& operator=(const HttpRepository&) = delete;

  /// The target of something below the address. @param rest percent-encoded: "/simple/idna/"
  std::string below(std::string_view rest) const;
  /// One request and its answer, whatever its status but 401 and 403.
  /// @param max_answer more is Error{limit_exceeded}
  /// @throws Error{network, tls_invalid, limit_exceeded, http_status}; Error{unauthorized} for 401 and 403
  UnixResponse ask(UnixRequest request, std::uint64_t max_answer = k_max_answer);
  UnixResponse ask(std::string_view method, std::string target) {
    return ask({.method = std::string(method), .target = std::move(target), .headers = {}, .body = {}});
  }
  /// With a body that is made while it goes. 401 and 403 as above.
  UnixResponse upload(UnixRequest request, RequestBody& body);

  /// Whether exactly these bytes are at the target, which is read back when its size may be the right one.
  enum class Found : std::uint8_t { nothing, same, other };
  Found compare(const std::string& target, const ArtifactFile& file);

  /// A file to a place that takes whatever is put there (PUT), and so is asked once more: what came there since it was
  /// planned is not written over. @throws Error{immutable} when it has other bytes
  /// @param suffix of the target, for the upload alone: ";deb.distribution=bookworm"
  void put(const std::string& target, const BlobStore& store, const ArtifactFile& file,
           const std::function<void(std::uint64_t)>& progress, const std::string& suffix = {});

  /// What it was asked for is not what it does. @param what "the upload of x.whl"
  [[noreturn]] void refuse(const UnixResponse& answer, std::string_view what) const;
  /// The target that a link of the page at `page` leads to, without its fragment; nullopt for what is not on this
  /// server, or no link.
  std::optional<std::string> resolve(std::string_view page, std::string_view link) const;
  const HttpAddress& address() const { return m_access.server.address; }

  static constexpr std::uint64_t k_max_answer = 64u << 20;

 private:
  UnixRequest prepared(UnixRequest request) const;
  void run(const std::function<asio::awaitable<void>()>& work);
  /// Throws for 401 and 403.
  void require_login(const UnixResponse& answer, const UnixRequest& request) const;
  UnixClientLimits limits(std::uint64_t max_answer) const;

  RepositoryAccess m_access;
  std::string m_table;
  asio::io_context m_context;
};

}  // namespace liftlock
