// Documents that recognisers read, made of arbitrary bytes: the first byte chooses which. Nothing but Error may come
// out.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/import_record.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "intake/shape.hpp"

using namespace liftlock;

namespace {

/// A tree of these files, in one memory file.
std::shared_ptr<const Tree> tree_of(const std::vector<std::pair<std::string, std::string_view>>& files) {
  auto fd = std::make_shared<const UniqueFd>(::memfd_create("import", MFD_CLOEXEC));
  std::vector<ContainerMember> members;
  std::uint64_t at = 0;
  for (const auto& [name, content] : files) {
    if (::write(fd->get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) std::abort();
    members.push_back({name, at, content.size()});
    at += content.size();
  }
  return Tree::of_members(std::move(fd), members, "fuzz");
}

constexpr std::string_view k_layout = R"({"imageLayoutVersion":"1.0.0"})";
constexpr std::string_view k_gzip = "\x1f\x8b";

/// Says that every file is staged, with a digest that is made of its path.
class AllStaged final : public StagedFiles {
 public:
  const Digest& digest(const Tree&, std::string_view path) const override {
    return m_digests.emplace(std::string(path), sha256(path)).first->second;
  }
  UniqueFd open(const Digest&) const override { return UniqueFd(::memfd_create("staged", MFD_CLOEXEC)); }
  bool has(const Digest&) const override { return true; }
  Digest keep(std::string_view document) override { return sha256(document); }
  Digest make(const std::function<void(int out)>& write) override {
    const UniqueFd out(::memfd_create("made", MFD_CLOEXEC));
    write(out.get());
    return sha256_of_file(out.get(), "made");
  }
  void remark(std::string) override {}

 private:
  mutable std::map<std::string, Digest> m_digests;
};

/// A ModelKit whose digests are right, so that its Kitfile is read: the text up to the first NUL. Each line after that
/// is a layer: "modelpart.v1.tar+gzip model/a.gguf README.md", the end of its type and what lies in it.
void look_at_kit(std::string_view text, ImportCells cells) {
  const auto end = std::min(text.find('\0'), text.size());
  const auto kitfile = text.substr(0, end);
  std::vector<std::string_view> lines;
  if (end < text.size()) lines = split(text.substr(end + 1), '\n');
  std::vector<std::string> blobs;  // of the layers: what a gzipped tar begins with, and the number of the line
  const auto add = [](std::string_view type, std::string_view content) -> Json {
    return {{"mediaType", fmt::format("application/vnd.kitops.modelkit.{}", printable(type))},
            {"digest", sha256(content).text()},
            {"size", content.size()}};
  };
  auto layers = Json::array();
  for (std::size_t i = 0; i < lines.size() && i < 16; ++i) {
    blobs.push_back(std::string(k_gzip) + static_cast<char>(i));
    layers.push_back(add(lines[i].substr(0, lines[i].find(' ')), blobs.back()));
  }
  cells.list = [&](int file, int, std::uint64_t) {
    std::uint8_t number = 0;
    if (::pread(file, &number, 1, k_gzip.size()) != 1) std::abort();
    auto names = split(lines.at(number), ' ');
    Container out{.form = "tar", .unpacked = false, .members = {}};
    for (std::size_t i = 1; i < names.size(); ++i) out.members.push_back({std::string(names[i]), 0, 1});
    return out;
  };
  const auto manifest =
      dump_json_line({{"schemaVersion", 2}, {"config", add("config.v1+json", kitfile)}, {"layers", layers}});
  const Json entry = {
      {"mediaType", oci::media::oci_manifest}, {"digest", sha256(manifest).text()}, {"size", manifest.size()}};
  const auto index = dump_json_line({{"schemaVersion", 2}, {"manifests", Json::array({entry})}});
  const auto path = [](std::string_view content) { return "blobs/sha256/" + sha256(content).hex(); };
  std::vector<std::pair<std::string, std::string_view>> files = {
      {"oci-layout", k_layout}, {"index.json", index}, {path(manifest), manifest}, {path(kitfile), kitfile}};
  for (const auto& blob : blobs) files.emplace_back(path(blob), blob);
  auto found = recognise_modelkit(tree_of(files), cells);
  if (!found) std::abort();  // the wrapping above is one, so all that is left to say is how it is broken
  (void)doubts_about(*found);
  AllStaged staged;
  for (const auto& artifact : found->make(staged)) (void)dump_json_line(to_json(artifact));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = as_text(std::span(data, size).subspan(1));
  const ImportCells cells{
      .scratch = "/tmp",
      .reserve = 0,
      .list = [](int, int, std::uint64_t) -> Container { fail(ErrorCode::package_malformed, "no container"); },
      .describe = [](std::string_view, int, std::string_view) { return Json::object(); }};
  try {
    switch (data[0] % 9) {
      case 0:
        (void)recognise(tree_of({{"manifest.json", text}, {"model/a.gguf", "x"}}), cells);
        break;
      case 1:
        (void)recognise(tree_of({{"index.json", text}, {"oci-layout", k_layout}}), cells);
        break;
      case 2:
        (void)recognise(tree_of({{"manifest.json", text}}), cells);
        break;
      case 3:
        (void)recognise(tree_of({{"SHA256SUMS", text}, {"a.gguf", "x"}}), cells);
        break;
      case 4:
        (void)recognise(tree_of({{"manifest/bundle.json", text}, {"models/a.gguf", "x"}}), cells);
        break;
      case 5:
        (void)recognise(tree_of({{"manifests/h/library/a/b", text}, {"blobs/sha256-0", "x"}}), cells);
        break;
      case 6:
        (void)recognise(tree_of({{"zarf.yaml", text}, {"checksums.txt", text}, {"images/oci-layout", k_layout}}),
                        cells);
        break;
      case 7:
        (void)parse_import_record(text);
        break;
      default:
        look_at_kit(text, cells);
    }
  } catch (const Error&) {
  }
  return 0;
}
