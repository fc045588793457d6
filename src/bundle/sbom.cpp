#include "bundle/sbom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/json_text.hpp"
#include "base/text.hpp"
#include "bundle/licenses.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

/// What both formats call a kind.
struct KindWords {
  std::string_view kind, type, purpose;  ///< CycloneDX's type, SPDX's primary purpose (§7.24)
};

const KindWords& words_of(std::string_view kind) {
  static constexpr KindWords k_kinds[] = {
      {"model", "machine-learning-model", "OTHER"},
      {"image", "container", "CONTAINER"},
      {"engine", "application", "APPLICATION"},
      {"file", "file", "FILE"},
      {"apt-index", "data", "OTHER"},
      {"rpm-index", "data", "OTHER"},
      {"rpm-key", "data", "OTHER"},
      {"advisories", "data", "OTHER"},
      {"dataset", "data", "OTHER"},
  };
  static constexpr KindWords k_others = {"", "library", "LIBRARY"};
  for (const auto& words : k_kinds) {
    if (words.kind == kind) return words;
  }
  return k_others;
}

std::string fact(const Json& facts, const char* key) {
  if (!facts.is_object()) return {};
  const auto found = facts.find(key);
  return found != facts.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The strings of a member that is a list of them.
std::vector<std::string> list(const Json& facts, const char* key) {
  std::vector<std::string> out;
  if (!facts.is_object()) return out;
  const auto found = facts.find(key);
  if (found == facts.end() || !found->is_array()) return out;
  for (const auto& item : *found) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

/// One artifact, with all that is known of it.
struct Item {
  const Artifact& artifact;
  Json facts;  ///< of the inspection

  const Json& card() const {
    static const Json k_none = Json::object();
    const auto found = facts.is_object() ? facts.find("card") : facts.end();
    return facts.is_object() && found != facts.end() ? *found : k_none;
  }
  /// The ecosystem's word comes first, then that of the model's own metadata, then its card's.
  std::string license() const {
    if (!artifact.license.empty()) return artifact.license;
    if (const auto own = fact(facts, "license"); !own.empty()) return own;
    const auto stated = fact(card(), "license"), named = fact(card(), "license_name");
    return stated == "other" && !named.empty() ? named : stated;
  }
  std::vector<std::string> datasets() const {
    auto out = list(facts, "datasets");
    return out.empty() ? list(card(), "datasets") : out;
  }
  std::vector<std::string> base_models() const {
    auto out = list(facts, "base_models");
    return out.empty() ? list(card(), "base_model") : out;
  }
};

/// The artifacts of a bill, each once, with what it is called there. A store may hold one id with several contents:
/// bundles brought them one after the other.
class Listed {
 public:
  explicit Listed(const std::vector<Artifact>& artifacts) {
    for (const auto& artifact : artifacts)
      m_all.push_back({&artifact, artifact.id(), sha256(artifact_line(artifact)).hex()});
    const auto key = [](const One& one) { return std::tie(one.ref, one.content); };
    std::sort(m_all.begin(), m_all.end(), [&](const One& a, const One& b) { return key(a) < key(b); });
    const auto same = [&](const One& a, const One& b) { return key(a) == key(b); };
    m_all.erase(std::unique(m_all.begin(), m_all.end(), same), m_all.end());
    for (std::size_t i = 0; i < m_all.size(); ++i) m_by_id[m_all[i].ref].push_back(i);
    for (auto& one : m_all) {
      if (m_by_id.at(one.artifact->id()).size() > 1) one.ref += "#" + one.content;
    }
  }

  struct One {
    const Artifact* artifact;
    std::string ref;      ///< its id; where that has several contents, with the digest of what is known of this one
    std::string content;  ///< of the artifact in JSON
  };
  const std::vector<One>& all() const { return m_all; }

  /// What an artifact needs, as far as it is listed; all contents of an id, since nobody said which one. Sorted.
  std::set<std::size_t> needs_of(const Artifact& artifact) const {
    std::set<std::size_t> out;
    for (const auto& id : artifact.needs) {
      if (const auto found = m_by_id.find(id); found != m_by_id.end())
        out.insert(found->second.begin(), found->second.end());
    }
    return out;
  }

 private:
  std::vector<One> m_all;
  std::map<std::string, std::vector<std::size_t>> m_by_id;
};

Item item_of(const Artifact& artifact, const InspectedFacts& inspected) {
  return {artifact, inspected ? inspected(artifact) : Json::object()};
}

/// An address that both formats take as it is.
bool is_plain_url(std::string_view text) {
  constexpr std::string_view k_more = ":/?#[]@!$&'()*+,;=-._~%";
  if (!text.starts_with("https://") && !text.starts_with("http://")) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           k_more.find(c) != std::string_view::npos;
  });
}

Json property(std::string_view name, std::string value) {
  return {{"name", fmt::format("liftlock:{}", name)}, {"value", std::move(value)}};
}

/// What has no place of its own in the model card.
Json model_properties(const Item& item) {
  auto out = Json::array();
  for (const auto* key : {"quantisation", "size_label"}) {
    if (const auto text = fact(item.facts, key); !text.empty()) out.push_back(property(key, text));
  }
  for (const auto* key : {"parameters", "context_length", "vocabulary"}) {
    if (item.facts.is_object() && item.facts.contains(key) && item.facts.at(key).is_number_integer())
      out.push_back(property(key, item.facts.at(key).dump()));
  }
  for (const auto& format : list(item.facts, "formats")) out.push_back(property("format", format));
  for (const auto& language : list(item.card(), "language")) out.push_back(property("language", language));
  if (const auto library = fact(item.card(), "library_name"); !library.empty())
    out.push_back(property("library", library));
  return out;
}

Json model_card(const Item& item) {
  auto parameters = Json::object();
  if (const auto task = fact(item.card(), "pipeline_tag"); !task.empty()) parameters["task"] = task;
  if (const auto architecture = fact(item.facts, "architecture"); !architecture.empty())
    parameters["architectureFamily"] = architecture;
  if (const auto name = fact(item.facts, "name"); !name.empty()) parameters["modelArchitecture"] = name;
  for (const auto& dataset : item.datasets())
    parameters["datasets"].push_back({{"type", "dataset"}, {"name", dataset}});
  auto out = Json::object();
  if (!parameters.empty()) out["modelParameters"] = std::move(parameters);
  if (auto properties = model_properties(item); !properties.empty()) out["properties"] = std::move(properties);
  return out;
}

Json licenses(const std::string& text) {
  if (const auto id = spdx_license_id(text)) return {{{"license", {{"id", *id}}}}};
  if (const auto expression = spdx_license_expression(text)) return {{{"expression", *expression}}};
  return {{{"license", {{"name", text}}}}};
}

/// Without the files, where there are several.
Json component(const Item& item, const std::string& ref) {
  const auto& artifact = item.artifact;
  Json out = {
      {"type", words_of(artifact.kind).type}, {"bom-ref", ref}, {"name", artifact.name}, {"version", artifact.version}};
  if (const auto url = package_url(artifact); !url.empty()) out["purl"] = url;
  if (const auto license = item.license(); !license.empty()) out["licenses"] = licenses(license);
  if (artifact.kind == "model") {
    if (auto card = model_card(item); !card.empty()) out["modelCard"] = std::move(card);
    for (const auto& base : item.base_models())
      out["pedigree"]["ancestors"].push_back({{"type", "machine-learning-model"}, {"name", base}});
  }
  if (artifact.files.size() == 1) {
    const auto& file = artifact.files[0];
    out["hashes"] = {{{"alg", "SHA-256"}, {"content", file.digest.hex()}}};
    if (is_plain_url(file.origin)) out["externalReferences"] = {{{"type", "distribution"}, {"url", file.origin}}};
  }
  return out;
}

void write_files(JsonText& out, const std::vector<ArtifactFile>& files) {
  out.key("components").begin_array();
  for (const auto& file : files) {
    out.value({{"type", "file"},
               {"name", file.path.text()},
               {"hashes", {{{"alg", "SHA-256"}, {"content", file.digest.hex()}}}}});
  }
  out.end_array();
}

void write_component(JsonText& out, const Item& item, const std::string& ref) {
  const auto& files = item.artifact.files;
  const auto whole = component(item, ref);
  bool written = files.size() == 1;
  out.begin_object();
  for (const auto& [key, value] : whole.items()) {
    if (!written && key > "components") {
      write_files(out, files);
      written = true;
    }
    out.key(key).value(value);
  }
  out.end_object();
}

/// "?a=b&c=d" of those that have a value, which are given in the order of their keys.
std::string qualifiers(std::initializer_list<std::pair<std::string_view, std::string>> all) {
  std::string out;
  for (const auto& [key, value] : all) {
    if (!value.empty()) out += fmt::format("{}{}={}", out.empty() ? '?' : '&', key, encode_percent_path(value));
  }
  return out;
}

/// A member of the evidence that the archive's signed release file gives.
std::string of_release(const Artifact& artifact, const char* key) {
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (evidence.type == "apt-release") return fact(evidence.details, key);
    }
  }
  return {};
}

/// The vendor is the archive's own word for itself, "Debian", "Ubuntu"; without one, or with several, there is none: a
/// package that was imported may be anybody's.
std::string deb_url(const Artifact& artifact) {
  const auto vendor = to_lower(of_release(artifact, "origin"));
  const bool is_word = !vendor.empty() && std::all_of(vendor.begin(), vendor.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  // Of another architecture than the stack's: "libc6:i386".
  const auto name = artifact.name.substr(0, artifact.name.find(':'));
  return fmt::format("pkg:deb/{}{}@{}{}", is_word ? vendor + "/" : "", encode_percent_path(name),
                     encode_percent_path(artifact.version),
                     qualifiers({{"arch", fact(artifact.facts, "architecture")},
                                 {"distro", is_word ? of_release(artifact, "codename") : ""}}));
}

std::string rpm_url(const Artifact& artifact) {
  // The type wants the epoch as a qualifier; artifacts write "EPOCH:VERSION-RELEASE".
  const auto architecture = fact(artifact.facts, "architecture");
  const auto colon = artifact.version.find(':');
  const auto epoch = colon == std::string::npos ? std::string() : artifact.version.substr(0, colon);
  auto name = artifact.name;
  if (!architecture.empty() && name.ends_with("." + architecture)) name.resize(name.size() - architecture.size() - 1);
  return fmt::format("pkg:rpm/{}@{}{}", encode_percent_path(name),
                     encode_percent_path(artifact.version.substr(colon == std::string::npos ? 0 : colon + 1)),
                     qualifiers({{"arch", architecture}, {"epoch", epoch}}));
}

/// The name is the last of the repository's parts, in lower case; the version is the digest, never the tag.
std::string image_url(const Artifact& artifact) {
  const bool by_digest = artifact.version.starts_with("sha256:");
  const auto manifest = artifact.facts.is_object() ? artifact.facts.find("manifest") : artifact.facts.end();
  const auto stated = artifact.facts.is_object() && manifest != artifact.facts.end() ? fact(*manifest, "digest") : "";
  const auto digest = stated.empty() && by_digest ? artifact.version : stated;
  // "HOST/NAME:TAG"; else where an archive lies.
  std::string repository;
  const auto ref = fact(artifact.facts, "ref");
  const auto ending = (by_digest ? "@" : ":") + artifact.version;
  const auto host = ref.substr(0, ref.find('/'));
  const bool has_host =
      host.size() < ref.size() && (host.find_first_of(".:") != std::string::npos || host == "localhost");
  if (has_host && !host.starts_with('.') && ref.ends_with(ending))
    repository = ref.substr(0, ref.size() - ending.size());
  const auto name = to_lower(artifact.name);
  return fmt::format("pkg:oci/{}{}{}", encode_percent_path(name.substr(name.rfind('/') + 1)),
                     digest.empty() ? "" : "@" + encode_percent_path(digest),
                     qualifiers({{"repository_url", repository}, {"tag", by_digest ? "" : artifact.version}}));
}

}  // namespace

std::string package_url(const Artifact& artifact) {
  const auto name = encode_percent_path(artifact.name);
  const auto version = encode_percent_path(artifact.version);
  if (artifact.kind == "wheel" || artifact.kind == "sdist") return fmt::format("pkg:pypi/{}@{}", name, version);
  // encode_percent_path leaves '/', which ends the namespace, and escapes the '@' of a scope, as the purl type asks.
  if (artifact.kind == "npm") return fmt::format("pkg:npm/{}@{}", name, version);
  if (artifact.kind == "deb") return deb_url(artifact);
  if (artifact.kind == "rpm") return rpm_url(artifact);
  if (artifact.kind == "crate") return fmt::format("pkg:cargo/{}@{}", name, version);
  if (artifact.kind == "go-module") return fmt::format("pkg:golang/{}@{}", name, version);
  if (artifact.kind == "maven") {
    const auto colon = artifact.name.find(':');
    return fmt::format("pkg:maven/{}/{}@{}", artifact.name.substr(0, colon),
                       colon == std::string::npos ? "" : artifact.name.substr(colon + 1), version);
  }
  if (artifact.kind == "model" && fact(artifact.facts, "source") == "hf") {
    return fmt::format("pkg:huggingface/{}@{}", encode_percent_path(fact(artifact.facts, "repository")),
                       fact(artifact.facts, "commit"));
  }
  if (artifact.kind == "image") return image_url(artifact);
  return {};
}

std::string write_sbom(std::string_view stack, const std::vector<Artifact>& artifacts,
                       const InspectedFacts& inspected) {
  const Listed listed(artifacts);
  JsonText out(JsonText::Style::document);
  out.begin_object().key("bomFormat").value("CycloneDX").key("components").begin_array();
  for (const auto& one : listed.all()) write_component(out, item_of(*one.artifact, inspected), one.ref);
  out.end_array().key("dependencies").begin_array();
  for (const auto& one : listed.all()) {
    auto needs = Json::array();
    for (const auto needed : listed.needs_of(*one.artifact)) needs.push_back(listed.all()[needed].ref);
    if (!needs.empty()) out.value({{"ref", one.ref}, {"dependsOn", std::move(needs)}});
  }
  out.end_array().key("metadata");
  out.value({{"component", {{"type", "application"}, {"name", stack}, {"bom-ref", fmt::format("stack:{}", stack)}}}});
  out.key("specVersion").value("1.6").key("version").value(1).end_object();
  return out.take();
}

namespace {

constexpr std::string_view k_no_assertion = "NOASSERTION";

/// [A-Za-z0-9.-]: what identifiers of SPDX are made of.
std::string spdx_word(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 100)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    out += fits ? c : '-';
  }
  return out;
}

class SpdxWriter {
 public:
  SpdxWriter(std::string_view stack, const std::vector<Artifact>& artifacts, const InspectedFacts& inspected)
      : m_stack(stack), m_listed(artifacts), m_inspected(inspected) {}

  std::string write() {
    const auto content = content_digest().hex();
    JsonText out(JsonText::Style::document);
    const auto add = [&](const Json& value) { out.value(value); };
    out.begin_object().key("SPDXID").value("SPDXRef-DOCUMENT");
    out.key("creationInfo")
        .value({{"created", "1970-01-01T00:00:00Z"},
                {"creators", {"Tool: liftlock"}},
                {"comment", "The same artifacts give the same document, and so it states no time of its own."}});
    out.key("dataLicense").value("CC0-1.0");
    out.key("documentNamespace").value(fmt::format("urn:liftlock:spdx:{}:{}", spdx_word(m_stack), content));
    if (!m_extracted.empty()) out.key("hasExtractedLicensingInfos").value(extracted());
    out.key("name").value(m_stack).key("packages").begin_array();
    for_each_package(add);
    out.end_array().key("relationships").begin_array();
    for_each_relationship(add);
    out.end_array().key("spdxVersion").value("SPDX-2.3").end_object();
    return out.take();
  }

 private:
  using Visit = std::function<void(const Json&)>;

  /// Of what is said, not only of the artifacts: what was inspected since makes another document. It is said twice,
  /// here and in the document, so that it need not be held.
  Digest content_digest() {
    Hasher hasher;
    JsonText line(JsonText::Style::line);
    const auto add = [&](const Json& value) { hasher.update(line.value(value).take()); };
    line.begin_array().begin_array();
    for_each_package(add);
    line.end_array().begin_array();
    for_each_relationship(add);
    hasher.update(line.end_array().value(extracted()).end_array().take());
    return hasher.finish();
  }

  /// The licences that have no name in SPDX, once the packages were written.
  Json extracted() const {
    auto out = Json::array();
    for (const auto& [text, id] : m_extracted)
      out.push_back({{"licenseId", id}, {"name", text}, {"extractedText", text}});
    return out;
  }

  std::string license(const std::string& text) {
    if (text.empty()) return std::string(k_no_assertion);
    if (auto expression = spdx_license_expression(text)) return *expression;
    const auto found = m_extracted.find(text);
    if (found != m_extracted.end()) return found->second;
    const auto id = fmt::format("LicenseRef-{}-{}", m_extracted.size() + 1, spdx_word(text.substr(0, 40)));
    m_extracted.emplace(text, id);
    return id;
  }

  Json package(const std::string& id, const std::string& name, const std::string& origin) const {
    return {{"SPDXID", id},
            {"name", name},
            {"downloadLocation", is_plain_url(origin) ? origin : k_no_assertion},
            {"filesAnalyzed", false},
            {"licenseConcluded", k_no_assertion},
            {"licenseDeclared", k_no_assertion},
            {"copyrightText", k_no_assertion}};
  }

  static Json checksums(const ArtifactFile& file) {
    return {{{"algorithm", "SHA256"}, {"checksumValue", file.digest.hex()}}};
  }

  /// Two ids may become one word, and one id may stand for several contents: their number tells them apart.
  std::string id_of(std::size_t number) const {
    return fmt::format("SPDXRef-{}-{}", number + 1, spdx_word(m_listed.all()[number].artifact->id()));
  }

  static std::string file_id(const std::string& id, std::size_t index) {
    return fmt::format("{}-file-{}", id, index + 1);
  }

  void for_each_relationship(const Visit& visit) const {
    const auto relate = [&](const std::string& from, std::string_view how, const std::string& to) {
      visit({{"spdxElementId", from}, {"relationshipType", how}, {"relatedSpdxElement", to}});
    };
    for (std::size_t number = 0; number < m_listed.all().size(); ++number) {
      const auto& artifact = *m_listed.all()[number].artifact;
      const auto id = id_of(number);
      relate("SPDXRef-DOCUMENT", "DESCRIBES", id);
      for (const auto needed : m_listed.needs_of(artifact)) relate(id, "DEPENDS_ON", id_of(needed));
      for (std::size_t i = 0; artifact.files.size() > 1 && i < artifact.files.size(); ++i)
        relate(id, "CONTAINS", file_id(id, i));
    }
  }

  void for_each_package(const Visit& visit) {
    for (std::size_t i = 0; i < m_listed.all().size(); ++i) packages_of(i, visit);
  }

  void packages_of(std::size_t number, const Visit& visit) {
    const auto item = item_of(*m_listed.all()[number].artifact, m_inspected);
    const auto& artifact = item.artifact;
    const auto id = id_of(number);
    const bool one = artifact.files.size() == 1;
    auto out = package(id, artifact.name, one ? artifact.files[0].origin : "");
    out["versionInfo"] = artifact.version;
    out["primaryPackagePurpose"] = words_of(artifact.kind).purpose;
    out["licenseDeclared"] = license(item.license());
    if (const auto url = package_url(artifact); !url.empty()) {
      out["externalRefs"] = {
          {{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", url}}};
    }
    if (artifact.kind == "model") {
      if (const auto words = in_words(item); !words.empty()) out["comment"] = words;
    }
    if (one) out["checksums"] = checksums(artifact.files[0]);
    visit(out);
    if (one) return;
    // A file of SPDX 2.3 must have a SHA-1, which nobody here makes: each is a package of its own.
    for (std::size_t i = 0; i < artifact.files.size(); ++i) {
      const auto& file = artifact.files[i];
      auto part = package(file_id(id, i), file.path.text(), file.origin);
      part["primaryPackagePurpose"] = "FILE";
      part["checksums"] = checksums(file);
      visit(part);
    }
  }

  /// SPDX 2.3 has no place for a model's own properties.
  static std::string in_words(const Item& item) {
    std::string out;
    const auto say = [&](std::string_view what, const std::string& value) {
      if (!value.empty()) out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", what, value);
    };
    const auto joined = [](const std::vector<std::string>& strings) {
      std::string text;
      for (const auto& one : strings) text += (text.empty() ? "" : ", ") + one;
      return text;
    };
    say("architecture", fact(item.facts, "architecture"));
    say("quantisation", fact(item.facts, "quantisation"));
    if (item.facts.is_object() && item.facts.contains("parameters"))
      say("parameters", item.facts.at("parameters").dump());
    say("task", fact(item.card(), "pipeline_tag"));
    say("trained on", joined(item.datasets()));
    say("made of", joined(item.base_models()));
    return out;
  }

  std::string_view m_stack;
  Listed m_listed;
  const InspectedFacts& m_inspected;
  std::map<std::string, std::string> m_extracted;  ///< LicenseRef-… by what the ecosystem says
};

}  // namespace

std::string write_spdx(std::string_view stack, const std::vector<Artifact>& artifacts,
                       const InspectedFacts& inspected) {
  return SpdxWriter(stack, artifacts, inspected).write();
}

}  // namespace liftlock
