#include "ecosystem/oci/push.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/www_authenticate.hpp"
#include "net/origin.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

constexpr std::uint64_t k_max_answer = 1u << 20;
constexpr std::size_t k_max_token = 64u << 10;
constexpr std::size_t k_max_location = 8u << 10;
/// Blobs go in pieces of this size; smaller ones in one.
constexpr std::uint64_t k_piece = 8u << 20;

/// What it says is wrong: "DENIED: no quota left".
std::string words_of(const UnixResponse& answer) {
  try {
    const auto json = parse_json(answer.body, {.max_bytes = k_max_answer, .max_depth = 16});
    const auto& first = array_member(json, "errors", "a refusal").at(0);
    return printable(fmt::format(": {} {}", string_member(first, "code", "a refusal"),
                                 string_member_or(first, "message", "", "a refusal"))
                         .substr(0, 300));
  } catch (const std::exception&) {
    return {};
  }
}

/// Of the document itself, not of who sends it or when.
bool is_refusal(int status) {
  return status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
}

void add_unless_there(std::vector<std::string>& list, std::string one) {
  if (std::find(list.begin(), list.end(), one) == list.end()) list.push_back(std::move(one));
}

/// All that an image is made of, read from the store.
class Walk {
 public:
  Walk(const Artifact& image, const BlobStore& store) : m_store(store) {
    for (const auto& file : image.files) m_files.emplace(file.digest, file.size);
    const auto facts = parse_image_facts(image.facts);
    visit(facts.manifest);
    if (!Digest::try_parse(image.version)) {
      name(facts.manifest.digest, image.version);
      find_stand_in(image.version);
    }
    for (const auto& referrer : facts.referrers) {
      visit(referrer.manifest);
      if (!referrer.tag.empty()) name(referrer.manifest.digest, referrer.tag);
    }
  }

  std::vector<ImagePlan::Document> documents;
  std::map<Digest, std::uint64_t> blobs;
  bool sparse = false;
  std::optional<ImagePlan::StandIn> stand_in;

 private:
  void name(const Digest& digest, std::string tag) {
    for (auto& document : documents) {
      if (document.digest == digest) add_unless_there(document.references, std::move(tag));
    }
  }

  void visit(const Descriptor& descriptor) {
    const auto file = m_files.find(descriptor.digest);
    if (file == m_files.end()) {
      sparse = true;
      return;
    }
    if (!m_seen.insert(descriptor.digest).second) return;
    const auto fd = m_store.open(descriptor.digest);
    auto bytes = read_all(fd.get(), k_max_manifest_bytes, descriptor.digest.text());
    const auto parsed = parse_manifest(bytes, descriptor.media_type);
    if (const auto* index = std::get_if<Index>(&parsed)) {
      for (const auto& child : index->manifests) visit(child);
    } else {
      const auto& manifest = std::get<Manifest>(parsed);
      take(manifest.config);
      for (const auto& layer : manifest.layers) take(layer);
    }
    documents.push_back({descriptor.digest, media_type_of(parsed), std::move(bytes), {descriptor.digest.text()}});
  }

  /// The image's own document is the last one so far.
  void find_stand_in(const std::string& tag) {
    if (!sparse || documents.empty() || !media::is_index(documents.back().media_type)) return;
    const auto& root = documents.back();
    const auto index = std::get<Index>(parse_manifest(root.bytes, root.media_type));
    std::set<Digest> platforms;
    for (const auto& child : index.manifests) {
      if (child.annotation(k_attests).empty() && m_files.contains(child.digest)) platforms.insert(child.digest);
    }
    if (platforms.size() != 1) return;
    const auto found = std::find_if(documents.begin(), documents.end(),
                                    [&](const auto& document) { return document.digest == *platforms.begin(); });
    if (media::is_index(found->media_type)) return;
    stand_in = {root.digest, {found->digest, found->media_type, found->bytes, {tag}}};
  }

  void take(const Descriptor& descriptor) {
    if (m_files.contains(descriptor.digest)) blobs.emplace(descriptor.digest, descriptor.size);
  }

  const BlobStore& m_store;
  std::map<Digest, std::uint64_t> m_files;
  std::set<Digest> m_seen;
};

}  // namespace

std::uint64_t ImagePlan::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& blob : blobs) sum += blob.size;
  for (const auto& document : documents) sum += document.bytes.size();
  return sum;
}

/// Requests below /v2/, with the login that the registry asks for.
class RegistryPush::Wire {
 public:
  explicit Wire(const RegistrySettings& target) : m_target(target), m_context(1) {}

  /// @param most bytes of an answer
  UnixResponse ask(const std::string& repository, UnixRequest request, std::uint64_t most = k_max_answer) {
    const auto authorized = [&] {
      auto copy = request;
      if (const auto known = m_authorization.find(repository); known != m_authorization.end())
        copy.headers.emplace_back("Authorization", known->second);
      return exchange(copy, most);
    };
    auto answer = authorized();
    if (answer.status != 401) return answer;
    log_in(repository, answer);
    answer = authorized();
    if (answer.status == 401) refuse_login("the registry does not take the login");
    return answer;
  }

  std::string path(const std::string& repository, std::string_view rest) const {
    return fmt::format("{}/v2/{}/{}", m_target.server.address.path, repository, rest);
  }

  /// Where an upload goes on: on this server, or nowhere.
  std::string location(const UnixResponse& answer) const {
    std::string text(answer.header("Location"));
    if (auto target = target_at(m_target.server.address, text)) text = std::move(*target);
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    if (!text.starts_with('/') || text.starts_with("//") || !plain || text.size() > k_max_location) {
      throw Error(ErrorCode::http_status,
                  fmt::format("the registry sends the upload to '{}'", printable(text.substr(0, 200))),
                  "only the registry's own address is talked to: let it announce the address of config.toml");
    }
    return text;
  }

  [[noreturn]] void refuse(const UnixResponse& answer, const std::string& what) const {
    if (answer.status == 403) refuse_login(fmt::format("the registry does not allow {}{}", what, words_of(answer)));
    if (answer.status == 429 || answer.status == 503)
      fail(ErrorCode::network, "the registry is busy ({} for {})", answer.status, what);
    fail(ErrorCode::http_status, "the registry answers {} to {}{}", answer.status, what, words_of(answer));
  }

 private:
  [[noreturn]] void refuse_login(std::string text) const {
    throw Error(ErrorCode::unauthorized, std::move(text),
                fmt::format("put USER:PASSWORD of an account that may push into the login_file of {}", m_target.table));
  }

  UnixResponse exchange(const UnixRequest& request, std::uint64_t most) {
    UnixResponse answer;
    const auto run = [&]() -> asio::awaitable<void> {
      UpstreamExchange upstream(
          m_target.server,
          {.max_body = most, .connect = m_target.patience, .idle = m_target.patience, .total = std::chrono::hours(24)});
      answer = co_await upstream.send(request);
      answer.body = co_await upstream.read_all();
    };
    std::exception_ptr failed;
    m_context.restart();
    asio::co_spawn(m_context, run(), [&](std::exception_ptr error) { failed = std::move(error); });
    m_context.run();
    if (failed) std::rethrow_exception(failed);
    return answer;
  }

  void log_in(const std::string& repository, const UnixResponse& refused) {
    std::optional<Challenge> bearer;
    bool takes_basic = false;
    for (const auto& [header, value] : refused.headers) {
      if (to_lower(header) != "www-authenticate") continue;
      for (auto& challenge : parse_www_authenticate(value)) {
        if (challenge.scheme == "bearer" && !bearer)
          bearer = std::move(challenge);
        else if (challenge.scheme == "basic")
          takes_basic = true;
      }
    }
    if (bearer) {
      m_authorization[repository] = "Bearer " + token(repository, *bearer);
    } else if (takes_basic && !m_target.login.empty()) {
      m_authorization[repository] = basic();
    } else {
      refuse_login(takes_basic ? "the registry asks for a login"
                               : "the registry asks for no kind of login that is known");
    }
  }

  std::string basic() const { return "Basic " + encode_base64(as_bytes(m_target.login)); }

  std::string token(const std::string& repository, const Challenge& challenge) {
    const auto realm = challenge.param("realm");
    const auto there = target_at(m_target.server.address, realm);
    if (!there) {
      throw Error(ErrorCode::http_status,
                  fmt::format("the registry's token server is '{}'", printable(realm.substr(0, 200))),
                  "only the registry's own address is talked to: let both stand behind one");
    }
    auto target = *there;
    target += (target.find('?') == std::string::npos ? "?" : "&") +
              ("scope=" + encode_percent_path("repository:" + repository + ":pull,push"));
    if (const auto service = challenge.param("service"); !service.empty())
      target += "&service=" + encode_percent_path(service);
    UnixRequest request{.method = "GET", .target = target, .headers = {}, .body = {}};
    if (!m_target.login.empty()) request.headers.emplace_back("Authorization", basic());
    const auto answer = exchange(request, k_max_answer);
    if (answer.status == 401 || answer.status == 403) refuse_login("the token server does not take the login");
    if (answer.status != 200) refuse(answer, "the request for a token");
    constexpr std::string_view where = "the token server's answer";
    const auto json = parse_json(answer.body, {.max_bytes = k_max_answer, .max_depth = 16});
    auto token = string_member_or(json, "token", "", where);
    if (token.empty()) token = string_member_or(json, "access_token", "", where);
    const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    if (token.empty() || token.size() > k_max_token || !plain) fail(ErrorCode::http_status, "{} holds no token", where);
    return token;
  }

  const RegistrySettings& m_target;
  asio::io_context m_context;
  std::map<std::string, std::string> m_authorization;  ///< by repository
};

RegistryPush::RegistryPush(RegistrySettings target, const BlobStore& store)
    : m_target(std::move(target)), m_store(store), m_wire(std::make_unique<Wire>(m_target)) {}
RegistryPush::~RegistryPush() = default;

std::string RegistryPush::repository(const std::string& name) const {
  return (m_target.prefix.empty() ? "" : m_target.prefix + "/") + name;
}

ImagePlan RegistryPush::plan(const Artifact& image) {
  Walk walk(image, m_store);
  ImagePlan plan;
  plan.repository = repository(image.name);
  plan.reference = (Digest::try_parse(image.version) ? "@" : ":") + image.version;
  plan.sparse = walk.sparse;
  plan.stand_in = std::move(walk.stand_in);
  std::vector<ImagePlan::Blob> blobs;
  for (const auto& [digest, size] : walk.blobs) blobs.push_back({digest, size});
  look(plan, std::move(blobs), std::move(walk.documents));
  return plan;
}

ImagePlan RegistryPush::plan(const Made& made) {
  ImagePlan plan;
  plan.repository = repository(made.name);
  plan.reference = ":" + made.tag;
  look(plan, made.blobs, {{sha256(made.manifest), made.media_type, made.manifest, {made.tag}}});
  return plan;
}

std::optional<std::string> RegistryPush::manifest(const std::string& name, const std::string& tag,
                                                  std::string_view media_type) {
  const auto place = repository(name);
  const UnixRequest request{.method = "GET",
                            .target = m_wire->path(place, "manifests/" + tag),
                            .headers = {{"Accept", std::string(media_type)}},
                            .body = {}};
  const auto answer = m_wire->ask(place, request, k_max_manifest_bytes);
  if (answer.status == 404) return std::nullopt;
  if (answer.status != 200) m_wire->refuse(answer, "the question for " + tag);
  return answer.body;
}

void RegistryPush::look(ImagePlan& plan, std::vector<ImagePlan::Blob> blobs,
                        std::vector<ImagePlan::Document> documents) {
  for (auto& blob : blobs) {
    const auto& digest = blob.digest;
    const auto answer = m_wire->ask(plan.repository, {.method = "HEAD",
                                                      .target = m_wire->path(plan.repository, "blobs/" + digest.text()),
                                                      .headers = {},
                                                      .body = {}});
    if (answer.status == 200 && parse_uint(answer.header("Content-Length")) == blob.size) {
      m_held.emplace(digest, plan.repository);
      ++plan.known;
    } else if (answer.status == 404 || answer.status == 200) {
      plan.blobs.push_back(std::move(blob));
    } else {
      m_wire->refuse(answer, "the question for " + digest.text());
    }
  }
  for (auto& document : documents) {
    std::vector<std::string> lacking;
    auto* stand_in = plan.stand_in && plan.stand_in->index == document.digest ? &*plan.stand_in : nullptr;
    const auto accept =
        document.media_type + (stand_in != nullptr ? ", " + stand_in->manifest.media_type : std::string());
    for (const auto& reference : document.references) {
      const auto answer =
          m_wire->ask(plan.repository, {.method = "HEAD",
                                        .target = m_wire->path(plan.repository, "manifests/" + reference),
                                        .headers = {{"Accept", accept}},
                                        .body = {}});
      if (answer.status != 200 && answer.status != 404) m_wire->refuse(answer, "the question for " + reference);
      const auto there = answer.status == 200 ? answer.header("Docker-Content-Digest") : std::string_view();
      if (there != document.digest.text()) lacking.push_back(reference);
      if (stand_in != nullptr && there == stand_in->manifest.digest.text()) stand_in->is_there = true;
    }
    if (lacking.empty() || (stand_in != nullptr && stand_in->is_there)) {
      ++plan.known;
      continue;
    }
    document.references = std::move(lacking);
    plan.documents.push_back(std::move(document));
  }
}

void RegistryPush::send_blob(const std::string& repository, const ImagePlan::Blob& blob,
                             const std::function<void(std::uint64_t)>& progress) {
  const auto what = "the upload of " + blob.digest.text();
  auto target = m_wire->path(repository, "blobs/uploads/");
  const auto held = m_held.find(blob.digest);
  if (held != m_held.end() && held->second != repository)
    target += fmt::format("?mount={}&from={}", blob.digest.text(), encode_percent_path(held->second));
  auto answer = m_wire->ask(repository, {.method = "POST", .target = target, .headers = {}, .body = {}});
  if (answer.status == 201) return progress(blob.size);  // mounted
  if (answer.status != 202) m_wire->refuse(answer, what);
  const auto file = blob.bytes.empty() ? m_store.open(blob.digest) : UniqueFd();
  Hasher hasher;
  for (std::uint64_t at = 0; at < blob.size || blob.size == 0;) {
    const auto size = std::min(k_piece, blob.size - at);
    std::string piece = blob.bytes.substr(std::min<std::uint64_t>(at, blob.bytes.size()), size);
    piece.resize(size);
    if (blob.bytes.empty() &&
        !pread_exact(file.get(), std::span(reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()), at,
                     blob.digest.text()))
      fail(ErrorCode::size_mismatch, "the store's {} is shorter than its manifest says", blob.digest.text());
    const bool is_last = at + size == blob.size;
    hasher.update(piece);
    if (is_last && hasher.finish() != blob.digest)
      fail(ErrorCode::blob_corrupt, "the store's own copy of {} has rotted", blob.digest.text());
    auto next = m_wire->location(answer);
    UnixRequest request{.method = is_last ? "PUT" : "PATCH",
                        .target = {},
                        .headers = {{"Content-Type", "application/octet-stream"}},
                        .body = std::move(piece)};
    if (is_last)
      next += fmt::format("{}digest={}", next.find('?') == std::string::npos ? "?" : "&", blob.digest.text());
    if (size < blob.size) request.headers.emplace_back("Content-Range", fmt::format("{}-{}", at, at + size - 1));
    request.target = std::move(next);
    answer = m_wire->ask(repository, std::move(request));
    if (answer.status != (is_last ? 201 : 202)) m_wire->refuse(answer, what);
    at += size;
    progress(size);
    if (is_last) break;
  }
}

UnixResponse RegistryPush::put(const std::string& repository, const ImagePlan::Document& document,
                               const std::string& reference) {
  return m_wire->ask(repository, {.method = "PUT",
                                  .target = m_wire->path(repository, "manifests/" + reference),
                                  .headers = {{"Content-Type", document.media_type}},
                                  .body = document.bytes});
}

void RegistryPush::put_stand_in(const ImagePlan& plan) {
  const auto& manifest = plan.stand_in->manifest;
  for (const auto& tag : manifest.references) {
    const auto answer = put(plan.repository, manifest, tag);
    if (answer.status != 201) m_wire->refuse(answer, fmt::format("the manifest {}", tag));
  }
}

bool RegistryPush::push(const ImagePlan& plan, const std::function<void(std::uint64_t)>& progress) {
  bool stands_in = plan.stand_in && plan.stand_in->is_there;
  for (const auto& blob : plan.blobs) {
    send_blob(plan.repository, blob, progress);
    m_held.emplace(blob.digest, plan.repository);
  }
  for (const auto& document : plan.documents) {
    for (const auto& reference : document.references) {
      const auto answer = put(plan.repository, document, reference);
      if (answer.status == 201) continue;
      if (plan.sparse && media::is_index(document.media_type) && is_refusal(answer.status)) {
        if (plan.stand_in && plan.stand_in->index == document.digest) {
          put_stand_in(plan);
          stands_in = true;
          break;
        }
        throw Error(ErrorCode::http_status,
                    fmt::format("the registry does not take an index that names platforms which did not cross{}",
                                words_of(answer)),
                    "carry all platforms of the image (platforms = [\"all\"] in the stack), or let the registry take "
                    "sparse indexes");
      }
      m_wire->refuse(answer, fmt::format("the manifest {}", reference));
    }
    progress(document.bytes.size());
  }
  return stands_in;
}

}  // namespace liftlock::oci
