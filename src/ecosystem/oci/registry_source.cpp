#include <algorithm>
#include <array>
#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/image_source.hpp"
#include "ecosystem/oci/registry_client.hpp"

namespace liftlock::oci {
namespace {

constexpr int k_max_referrer_pages = 32;

HttpHeader accept_manifests() {
  return {"Accept", fmt::format("{}, {}, {}, {}", media::oci_index, media::oci_manifest, media::docker_list,
                                media::docker_manifest)};
}

/// The media type without parameters.
std::string content_type(const Document& document) {
  const auto value = document.header("Content-Type").value_or("");
  return to_lower(trim(std::string_view(value).substr(0, value.find(';'))));
}

/// The target of `Link: <URL>; rel="next"` below /v2/REPOSITORY/; nullopt: no further page.
std::optional<std::string> next_page(const Document& document, std::string_view base) {
  const auto link = document.header("Link").value_or("");
  if (link.find("rel=\"next\"") == std::string::npos && link.find("rel=next") == std::string::npos) return std::nullopt;
  const auto open = link.find('<'), close = link.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  std::string_view target = std::string_view(link).substr(open + 1, close - open - 1);
  if (const auto scheme = target.find("://"); scheme != std::string_view::npos) {
    const auto path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view() : target.substr(path);
  }
  // A page of another repository or registry would be asked with our login.
  const auto path = base.substr(base.find('/', base.find("://") + 3));
  if (!target.starts_with(path)) return std::nullopt;
  return std::string(target.substr(path.size()));
}

class RegistrySource : public ImageSource, public ImageReader {
 public:
  RegistrySource(const Source& source, const StackEntry& entry, CollectContext& context)
      : m_reference(source.reference),
        m_client(std::make_shared<RegistryClient>(
            context.downloader,
            RegistryAddress{.host = source.reference.host,
                            .repository = source.reference.repository,
                            .scheme = entry.flag("insecure", false) ? RegistryAddress::Scheme::http
                                                                    : RegistryAddress::Scheme::https},
            credential_files(authfile(entry, context)))) {}

  ImageReader& reader() override { return *this; }

  Chosen choose() override {
    const auto version = m_reference.version();
    const auto wanted = m_reference.digest ? m_reference.digest->text() : version;
    const auto document = get_manifest(wanted, m_reference.digest, {});
    const auto digest = sha256(document->body);
    Chosen out{.root = describe(*document, digest),
               .name = m_reference.repository,
               .version = version,
               .ref = m_reference.text(),
               .tag = m_reference.digest ? "" : version,
               .notes = {}};
    if (!out.tag.empty()) {
      out.notes.push_back(fmt::format("tag {} of {}/{} is pinned to {}", out.tag, m_reference.host,
                                      m_reference.repository, digest.text()));
    }
    m_known.emplace(digest, document->body);
    return out;
  }

  std::string manifest(const Descriptor& descriptor) override {
    const auto known = m_known.find(descriptor.digest);
    if (known != m_known.end()) return known->second;
    return get_manifest(descriptor.digest.text(), descriptor.digest, {})->body;
  }

  std::string config(const Descriptor& descriptor) override {
    return m_client->get("blobs/" + descriptor.digest.text(), {}, k_max_config_bytes).body;
  }

  std::vector<Referrer> referrers(const Digest& subject) override {
    std::vector<Referrer> out;
    for (const auto suffix : k_cosign_suffixes) {
      const auto tag = cosign_tag(subject, suffix);
      if (const auto document = get_manifest(tag, std::nullopt, {404})) {
        const auto digest = sha256(document->body);
        m_known.emplace(digest, document->body);
        out.push_back({describe(*document, digest), subject, tag});
      }
    }
    for (auto& descriptor : attached(subject)) out.push_back({std::move(descriptor), subject, ""});
    return out;
  }

  std::string origin(const Digest& digest, Part part) const override {
    return m_client->url((part == Part::manifest ? "manifests/" : "blobs/") + digest.text());
  }

  Evidence evidence(const Descriptor& descriptor, const Chosen& chosen) const override {
    Json details = {
        {"registry", m_reference.host}, {"repository", m_reference.repository}, {"digest", descriptor.digest.text()}};
    if (descriptor.digest == chosen.root.digest && !chosen.tag.empty()) details["tag"] = chosen.tag;
    return {"registry-digest", std::move(details)};
  }

  FetchJob job(const ArtifactFile& file) override {
    const bool ours = file.origin.starts_with(m_client->url(""));
    const bool is_manifest = file.origin.find("/manifests/") != std::string::npos;
    return {.title = fmt::format("{}/{} {}", m_reference.host, m_reference.repository, file.digest.hex().substr(0, 12)),
            .digest = file.digest,
            .size = file.size,
            .url = file.origin,
            .headers =
                [client = m_client, ours, is_manifest] {
                  // A lock that was edited must not send the login elsewhere.
                  auto headers = ours ? client->authorization() : std::vector<HttpHeader>();
                  if (is_manifest) headers.push_back(accept_manifests());
                  return headers;
                },
            .produce = {}};
  }

 private:
  static std::filesystem::path authfile(const StackEntry& entry, const CollectContext& context) {
    const auto named = entry.text("authfile");
    return named.empty() ? std::filesystem::path() : context.stack_folder / named;
  }

  /// nullopt only for an accepted status other than 200.
  std::optional<Document> get_manifest(const std::string& reference, const std::optional<Digest>& digest,
                                       std::vector<int> accepted) {
    auto document =
        m_client->get("manifests/" + reference, {accept_manifests()}, k_max_manifest_bytes, std::move(accepted));
    if (document.status != 200) return std::nullopt;
    const auto actual = sha256(document.body);
    if (digest && *digest != actual) {
      fail(ErrorCode::digest_mismatch, "the manifest {} of {} hashes to {}", digest->text(), m_reference.repository,
           actual.text());
    }
    const auto stated = document.header("Docker-Content-Digest");
    if (stated && Digest::try_parse(*stated) != actual) {
      fail(ErrorCode::digest_mismatch, "the registry says that manifest {} of {} is {}, its bytes hash to {}",
           reference, m_reference.repository, printable(stated->substr(0, 100)), actual.text());
    }
    return document;
  }

  static Descriptor describe(const Document& document, const Digest& digest) {
    const auto type = content_type(document);
    const bool known = media::is_index(type) || media::is_manifest(type);
    const auto parsed = parse_manifest(document.body, known ? std::string_view(type) : std::string_view());
    return {.media_type = media_type_of(parsed),
            .digest = digest,
            .size = document.body.size(),
            .platform = std::nullopt,
            .artifact_type = {},
            .annotations = {}};
  }

  /// The referrers API, else the tag that stands in for it on older registries.
  std::vector<Descriptor> attached(const Digest& subject) {
    std::vector<Descriptor> out;
    std::optional<std::string> page = "referrers/" + subject.text();
    const HttpHeader accept{"Accept", std::string(media::oci_index)};
    for (int pages = 0; page; ++pages) {
      if (pages == k_max_referrer_pages) fail(ErrorCode::limit_exceeded, "more than {} pages of referrers", pages);
      const auto document = m_client->get(*page, {accept}, k_max_manifest_bytes, {400, 403, 404, 405, 406, 501});
      if (document.status != 200 || content_type(document) != media::oci_index) {
        if (pages > 0) break;
        return attached_by_tag(subject);
      }
      const auto index = parse_manifest(document.body, media::oci_index);
      for (const auto& descriptor : std::get<Index>(index).manifests) out.push_back(descriptor);
      page = next_page(document, m_client->url(""));
    }
    return out;
  }

  std::vector<Descriptor> attached_by_tag(const Digest& subject) {
    const auto document = get_manifest(cosign_tag(subject, ""), std::nullopt, {404});
    if (!document) return {};
    const auto parsed = parse_manifest(document->body);
    const auto* index = std::get_if<Index>(&parsed);
    return index == nullptr ? std::vector<Descriptor>() : index->manifests;
  }

  Reference m_reference;
  std::shared_ptr<RegistryClient> m_client;
  std::map<Digest, std::string> m_known;
};

}  // namespace

std::unique_ptr<ImageSource> make_registry_source(const Source& source, const StackEntry& entry,
                                                  CollectContext& context) {
  return std::make_unique<RegistrySource>(source, entry, context);
}

}  // namespace liftlock::oci
