#include <fmt/format.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "artifact/derived_inputs.hpp"
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
    out.begin_object().key("SPDXID").value("SPDXRef-DOCUMENT");
    out.key("creationInfo")
        .value({{"created", "1970-01-01T00:00:00Z"},
                {"creators", {"Tool: liftlock"}},
                {"comment", "The same artifacts give the same document, and so it states no time of its own."}});
    out.key("dataLicense").value("CC0-1.0");
    out.key("documentNamespace").value(fmt::format("urn:liftlock:spdx:{}:{}", spdx_word(m_stack), content));
    if (!m_extracted.empty()) out.key("hasExtractedLicensingInfos").value(extracted());
    out.key("name").value(m_stack).key("packages").begin_array();
    write_packages(out, [] {});
    out.end_array().key("relationships").begin_array();
    write_relationships(out, [] {});
    out.end_array().key("spdxVersion").value("SPDX-2.3").end_object();
    return out.take();
  }

 private:
  /// Called after each element of an array.
  using Written = std::function<void()>;

  /// Of what is said, not only of the artifacts: what was inspected since makes another document. It is said twice,
  /// here and in the document, so that it need not be held.
  Digest content_digest() {
    Hasher hasher;
    JsonText line(JsonText::Style::line);
    const auto hash = [&] { hasher.update(line.take()); };
    line.begin_array().begin_array();
    write_packages(line, hash);
    line.end_array().begin_array();
    write_relationships(line, hash);
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

  static std::string input_id(const std::string& id, std::size_t index) {
    return fmt::format("{}-input-{}", id, index + 1);
  }

  void write_relationships(JsonText& out, const Written& written) const {
    const auto relate = [&](std::string_view from, std::string_view how, std::string_view to) {
      out.begin_object().key("relatedSpdxElement").text(to);
      out.key("relationshipType").text(how).key("spdxElementId").text(from).end_object();
      written();
    };
    for (std::size_t number = 0; number < m_listed.all().size(); ++number) {
      const auto& artifact = *m_listed.all()[number].artifact;
      const auto id = id_of(number);
      relate("SPDXRef-DOCUMENT", "DESCRIBES", id);
      for (const auto needed : m_listed.needs_of(artifact)) relate(id, "DEPENDS_ON", id_of(needed));
      for (std::size_t i = 0; artifact.files.size() > 1 && i < artifact.files.size(); ++i)
        relate(id, "CONTAINS", file_id(id, i));
      const auto inputs = derived_inputs(artifact);
      for (std::size_t i = 0; i < inputs.size(); ++i) relate(id, "CONTAINS", input_id(id, i));
    }
  }

  void write_packages(JsonText& out, const Written& written) {
    for (std::size_t i = 0; i < m_listed.all().size(); ++i) write_packages_of(i, out, written);
  }

  /// Without its files, where there are several.
  Json described(const std::string& id, const Item& item) {
    const auto& artifact = item.artifact;
    const bool one = artifact.files.size() == 1;
    auto whole = package(id, artifact.name, one ? artifact.files[0].origin : "");
    whole["versionInfo"] = artifact.version;
    whole["primaryPackagePurpose"] = words_of(artifact.kind).purpose;
    whole["licenseDeclared"] = license(item.license());
    if (const auto url = package_url(artifact); !url.empty()) {
      whole["externalRefs"] = {
          {{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", url}}};
    }
    if (artifact.kind == "model") {
      if (const auto words = in_words(item); !words.empty()) whole["comment"] = words;
    }
    if (one) whole["checksums"] = checksums(artifact.files[0]);
    return whole;
  }

  void write_packages_of(std::size_t number, JsonText& out, const Written& written) {
    const auto item = item_of(*m_listed.all()[number].artifact, m_inspected);
    const auto& artifact = item.artifact;
    const auto id = id_of(number);
    out.value(described(id, item));
    written();
    const auto inputs = derived_inputs(artifact);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      out.value(described(input_id(id, i), {inputs[i], Json::object()}));
      written();
    }
    if (artifact.files.size() == 1) return;
    // A file of SPDX 2.3 must have a SHA-1, which nobody here makes: each is a package of its own.
    for (std::size_t i = 0; i < artifact.files.size(); ++i) {
      write_part(out, file_id(id, i), artifact.files[i]);
      written();
    }
  }

  /// As package() of it, without a value in between: there may be very many.
  static void write_part(JsonText& out, std::string_view id, const ArtifactFile& file) {
    out.begin_object().key("SPDXID").text(id).key("checksums").begin_array();
    out.begin_object().key("algorithm").text("SHA256").key("checksumValue").text(file.digest.hex()).end_object();
    out.end_array().key("copyrightText").text(k_no_assertion);
    out.key("downloadLocation").text(is_plain_url(file.origin) ? std::string_view(file.origin) : k_no_assertion);
    out.key("filesAnalyzed").value(false).key("licenseConcluded").text(k_no_assertion);
    out.key("licenseDeclared").text(k_no_assertion).key("name").text(file.path.text());
    out.key("primaryPackagePurpose").text("FILE").end_object();
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
