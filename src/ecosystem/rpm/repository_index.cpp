#include "ecosystem/rpm/repository_index.hpp"

#include "archive/decompress.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock::rpm {
namespace {

/// The list is never in memory as one: packages share its pieces.
class List {
 public:
  List(std::string_view element, std::string_view name, std::size_t packages)
      : m_begin(fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                            "<{0} xmlns=\"http://linux.duke.edu/metadata/{1}\"{2} packages=\"{3}\">\n",
                            element, name, name == "common" ? " xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"" : "",
                            packages)),
        m_end(fmt::format("</{}>\n", element)),
        m_pieces({m_begin}) {}
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  void add(std::string_view package) { m_pieces.push_back(package); }
  const std::vector<std::string_view>& pieces() {
    m_pieces.emplace_back(m_end);
    return m_pieces;
  }

 private:
  std::string m_begin, m_end;
  std::vector<std::string_view> m_pieces;
};

}  // namespace

RepositoryIndex make_repository_index(const std::vector<const IndexedPackage*>& packages, Timestamp time) {
  List primary("metadata", "common", packages.size());
  List filelists("filelists", "filelists", packages.size());
  List other("otherdata", "other", packages.size());
  for (const auto* package : packages) {
    primary.add(package->primary);
    filelists.add(package->filelists);
    other.add(package->other);
  }
  const auto seconds = time.time_since_epoch().count();
  RepositoryIndex out;
  out.repomd = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n"
      "  <revision>{}</revision>\n",
      seconds);
  const auto add = [&](std::string_view type, const std::vector<std::string_view>& pieces) {
    Hasher hasher;
    std::uint64_t size = 0;
    for (const auto piece : pieces) {
      hasher.update(piece);
      size += piece.size();
    }
    auto packed = gzip(pieces);
    const auto digest = sha256(packed);
    const auto name = fmt::format("{}-{}.xml.gz", digest.hex(), type);
    out.repomd += fmt::format(
        "  <data type=\"{}\">\n    <checksum type=\"sha256\">{}</checksum>\n"
        "    <open-checksum type=\"sha256\">{}</open-checksum>\n    <location href=\"repodata/{}\"/>\n"
        "    <timestamp>{}</timestamp>\n    <size>{}</size>\n    <open-size>{}</open-size>\n  </data>\n",
        type, digest.hex(), hasher.finish().hex(), name, seconds, packed.size(), size);
    out.files[name] = std::move(packed);
  };
  add("primary", primary.pieces());
  add("filelists", filelists.pieces());
  add("other", other.pieces());
  out.repomd += "</repomd>\n";
  return out;
}

}  // namespace liftlock::rpm
