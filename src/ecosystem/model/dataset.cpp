#include "ecosystem/model/dataset.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/model/byte_source.hpp"
#include "ecosystem/model/content.hpp"
#include "ecosystem/model/model_card.hpp"

namespace liftlock {
namespace {

using namespace std::string_view_literals;

constexpr std::array k_kinds = {k_dataset_kind};
constexpr std::size_t k_max_notes = 20;
constexpr std::size_t k_head = 512;

struct Named {
  std::string_view suffix, reason;
};
constexpr std::string_view k_pickle = "a pickle, which runs code when it is loaded";
constexpr std::array k_unsafe = {
    Named{".py", "a loading script, which is code"},
    Named{".ipynb", "a notebook, which is code"},
    Named{".sh", "a script, which is code"},
    Named{".pkl", k_pickle},
    Named{".pickle", k_pickle},
    Named{".pt", k_pickle},
    Named{".pth", k_pickle},
    Named{".ckpt", k_pickle},
    Named{".dill", k_pickle},
    Named{".joblib", k_pickle},
};

struct Magic {
  std::size_t at;
  std::string_view bytes, what;
};
/// What holds other files or bytes, which nobody looks into.
constexpr std::array k_containers = {
    Magic{0, "\x1f\x8b"sv, "a gzip file"},
    Magic{0, "BZh"sv, "a bzip2 file"},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          "an xz file"},
    Magic{0, "\x28\xb5\x2f\xfd"sv, "a zstd file"},
    Magic{0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive"},
    Magic{0, "PK\x03\x04"sv, "a zip archive"},
    Magic{257, "ustar"sv, "a tar archive"},
    Magic{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
};

std::string bytes_at(const ByteSource& file, std::uint64_t at, std::uint64_t most) {
  std::string out(static_cast<std::size_t>(std::min(most, file.size() - at)), '\0');
  file.read(at, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

class Session {
 public:
  Session(const Artifact& artifact, std::span<const int> descriptors)
      : m_artifact(artifact), m_descriptors(descriptors) {}

  Inspection run() {
    for (std::size_t i = 0; i < m_artifact.files.size(); ++i) {
      const auto& path = m_artifact.files[i].path.text();
      try {
        look_into(path, FileBytes(m_descriptors[i]));
      } catch (const Error& error) {
        m_out.findings.push_back({error.code(), path, error.message()});
      }
    }
    m_out.facts["files"] = m_artifact.files.size();
    m_out.facts["formats"] = m_formats;
    if (m_unseen > k_max_notes)
      m_notes.push_back(fmt::format("… and {} more that nobody looked into", m_unseen - k_max_notes));
    if (!m_notes.empty()) m_out.facts["notes"] = m_notes;
    return std::move(m_out);
  }

 private:
  void refuse(ErrorCode code, const std::string& path, std::string why) {
    m_out.findings.push_back({code, path, std::move(why)});
  }

  void look_into(const std::string& path, const ByteSource& file) {
    if (auto why = why_unsafe_dataset_name(path); !why.empty()) {
      return refuse(ErrorCode::model_unsafe_format, path, std::move(why));
    }
    const auto head = bytes_at(file, 0, k_head);
    const auto name = to_lower(path.substr(path.rfind('/') + 1));
    if (head.starts_with("PAR1") || name.ends_with(".parquet")) {
      m_formats.insert("parquet");
      const bool whole = file.size() >= 12 && head.starts_with("PAR1") && bytes_at(file, file.size() - 4, 4) == "PAR1";
      if (!whole) refuse(ErrorCode::package_malformed, path, "a Parquet file begins and ends with PAR1");
      return;
    }
    if (head.starts_with("ARROW1")) {
      m_formats.insert("arrow");
      return;
    }
    if (const auto* what = container(head)) return unseen(path, file, *what);
    const auto content = recognise(path, file);
    if (content.kind == ContentKind::unsafe) return refuse(ErrorCode::model_unsafe_format, path, content.reason);
    if (const auto dot = name.rfind('.'); dot != std::string::npos && dot + 1 < name.size() && name.size() - dot < 10)
      m_formats.insert(printable(name.substr(dot + 1)));
    if (name == "readme.md") look_into_card(path, file);
  }

  static const std::string_view* container(std::string_view head) {
    for (const auto& one : k_containers) {
      if (head.size() >= one.at + one.bytes.size() && head.substr(one.at, one.bytes.size()) == one.bytes)
        return &one.what;
    }
    return nullptr;
  }

  void unseen(const std::string& path, const ByteSource& file, std::string_view what) {
    // torch.save and NumPy write zips that hold pickles.
    if (what == "a zip archive") {
      const auto content = recognise("-", file);
      if (content.reason.find("pickle") != std::string::npos || content.reason.find("code") != std::string::npos)
        return refuse(ErrorCode::model_unsafe_format, path, content.reason);
    }
    if (++m_unseen <= k_max_notes) m_notes.push_back(fmt::format("{} is {}, which is not looked into", path, what));
    m_formats.insert(std::string(what.substr(what.find(' ') + 1)));
  }

  void look_into_card(const std::string& path, const ByteSource& file) {
    const auto depth = std::count(path.begin(), path.end(), '/');
    if (depth >= m_card_depth) return;
    m_card_depth = depth;
    m_out.facts.erase("card");
    try {
      if (auto card = read_model_card(bytes_at(file, 0, k_max_model_card)); !card.empty())
        m_out.facts["card"] = std::move(card);
    } catch (const Error& error) {
      m_notes.push_back(fmt::format("{}: what the card says of the licence is not read: {}", path, error.message()));
    }
  }

  const Artifact& m_artifact;
  std::span<const int> m_descriptors;
  std::set<std::string> m_formats;
  std::vector<std::string> m_notes;
  std::size_t m_unseen = 0;
  std::ptrdiff_t m_card_depth = std::numeric_limits<std::ptrdiff_t>::max();
  Inspection m_out;
};

}  // namespace

std::string why_unsafe_dataset_name(std::string_view path) {
  auto name = to_lower(path.substr(path.rfind('/') + 1));
  // Who loads a pickle decompresses it by its name.
  for (const std::string_view packed : {".gz", ".bz2", ".xz", ".zst"}) {
    if (!name.ends_with(packed)) continue;
    name.resize(name.size() - packed.size());
    break;
  }
  for (const auto& unsafe : k_unsafe) {
    if (name.ends_with(unsafe.suffix)) return std::string(unsafe.reason);
  }
  return {};
}

std::span<const std::string_view> DatasetInspector::kinds() const {
  return k_kinds;
}

Inspection DatasetInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  return Session(artifact, files).run();
}

}  // namespace liftlock
