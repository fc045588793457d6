#include <fmt/format.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "base/loose_json.hpp"
#include "bundle/licenses.hpp"
#include "bundle/sbom.hpp"
#include "bundle/sbom_items.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

using namespace bill;

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
    say("architecture", text_in(item.facts, "architecture"));
    say("quantisation", text_in(item.facts, "quantisation"));
    if (item.facts.is_object() && item.facts.contains("parameters"))
      say("parameters", item.facts.at("parameters").dump());
    say("task", text_in(item.card(), "pipeline_tag"));
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
