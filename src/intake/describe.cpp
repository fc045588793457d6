#include "intake/describe.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "ecosystem/apt/deb_reader.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/pypi/sdist.hpp"
#include "ecosystem/pypi/wheel.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "ecosystem/rpm/package_file.hpp"

namespace liftlock {
namespace {

Json from_metadata(const CoreMetadata& metadata) {
  return {{"name", metadata.name},
          {"version", metadata.version},
          {"license", metadata.license_text()},
          {"requires_python", metadata.requires_python}};
}

Json describe_deb(int file) {
  const auto control = apt::read_deb_control(file, apt::read_deb_layout(file));
  apt::ParagraphReader reader(control.text, "the control file", apt::Comments::skip);
  apt::Paragraph fields;
  if (!reader.next(fields)) fail(ErrorCode::package_malformed, "the control file is empty");
  std::string stanza;
  for (const auto& [key, value] : fields.fields()) {
    // Where it lies and what it hashes to is for the mirror to say.
    if (apt::same_field(key, "Filename") || apt::same_field(key, "Size") || apt::same_field(key, "SHA256")) continue;
    stanza += fmt::format("{}: {}\n", key, value);
  }
  Json out = {{"name", std::string(fields.field_or("Package", ""))},
              {"version", std::string(fields.field_or("Version", ""))},
              {"architecture", std::string(fields.field_or("Architecture", ""))},
              {"depends", std::string(fields.field_or("Depends", ""))},
              {"pre_depends", std::string(fields.field_or("Pre-Depends", ""))},
              {"provides", std::string(fields.field_or("Provides", ""))},
              {"stanza", is_utf8(stanza) ? stanza : std::string()}};
  for (const auto* key : {"name", "version", "architecture"}) {
    const auto text = out[key].get<std::string>();
    if (text.empty() || printable(text) != text)
      fail(ErrorCode::package_malformed, "the control file has no usable {}", key);
  }
  return out;
}

Json describe_rpm(int file) {
  const auto package = rpm::PackageFile::read(file);
  const auto identity = package.identity();
  auto facts = rpm::origin_facts(package);
  facts["architecture"] = identity.architecture;
  return {{"name", identity.name},
          {"version", identity.evr()},
          {"architecture", identity.architecture},
          {"facts", std::move(facts)},
          {"license", printable(package.header().text(rpm::Tag::license).value_or(""))}};
}

Json describe_chart(int file) {
  const auto chart = helm::read_chart(file);
  return {{"name", chart.metadata.at("name")},
          {"version", chart.metadata.at("version")},
          {"facts", {{"chart", chart.metadata}, {"files", chart.files}}}};
}

}  // namespace

Json describe_package(std::string_view kind, int file, std::string_view filename) {
  if (kind == "deb") return describe_deb(file);
  if (kind == "rpm") return describe_rpm(file);
  if (kind == "chart") return describe_chart(file);
  if (kind == "wheel") {
    const auto name = WheelFilename::parse(filename);
    if (!name) fail(ErrorCode::package_malformed, "'{}' is no wheel file name", printable(filename));
    return from_metadata(Wheel(file, *name).metadata());
  }
  if (kind == "sdist") {
    const auto name = SdistFilename::parse(filename);
    if (!name) fail(ErrorCode::package_malformed, "'{}' is no sdist file name", printable(filename));
    return from_metadata(check_sdist(file, *name));
  }
  fail(ErrorCode::internal, "no package of the kind '{}' says anything of itself", printable(kind));
}

}  // namespace liftlock
