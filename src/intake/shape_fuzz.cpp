// Documents that recognisers read, made of arbitrary bytes: the first byte chooses which. Nothing but Error may come
// out.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "intake/record.hpp"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = as_text(std::span(data, size).subspan(1));
  const ImportCells cells{
      .scratch = "/tmp",
      .reserve = 0,
      .list = [](int, int, std::uint64_t) -> Container { fail(ErrorCode::package_malformed, "no container"); },
      .describe = [](std::string_view, int, std::string_view) { return Json::object(); }};
  constexpr std::string_view k_layout = R"({"imageLayoutVersion":"1.0.0"})";
  try {
    switch (data[0] % 8) {
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
      default:
        (void)parse_import_record(text);
    }
  } catch (const Error&) {
  }
  return 0;
}
