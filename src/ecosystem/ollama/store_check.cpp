#include "ecosystem/ollama/store_check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/store_reader.hpp"

namespace liftlock::ollama {
namespace {

using Kind = StoreFinding::Kind;
constexpr std::size_t k_max_files = 200'000;
constexpr mode_t k_read = 4, k_write = 2, k_search = 1;

/// Do the permission bits allow it? ACLs are not asked.
bool may(const StoreUser& user, const struct stat& status, mode_t wanted) {
  if (user.uid == 0) return true;
  const bool group = std::find(user.groups.begin(), user.groups.end(), status.st_gid) != user.groups.end();
  const unsigned shift = status.st_uid == user.uid ? 6 : group ? 3 : 0;
  return ((status.st_mode >> shift) & wanted) == wanted;
}

std::optional<Digest> digest_of_name(std::string_view name) {
  if (!name.starts_with("sha256-")) return std::nullopt;
  return Digest::try_parse("sha256:" + std::string(name.substr(7)));
}

class Check {
 public:
  Check(const fs::path& folder, const StoreUser& user, Reporter& reporter) : m_user(user), m_reporter(reporter) {
    m_out.store = find_store(folder);
    // ~/.ollama is what people call the store; any other folder above it is not what OLLAMA_MODELS may name.
    if (m_out.store != folder && folder.lexically_normal().filename() != ".ollama") {
      add(Kind::layout, folder,
          "the store stands one folder deeper: with OLLAMA_MODELS at this one Ollama finds no model",
          fmt::format("OLLAMA_MODELS={}", shown(m_out.store)));
    }
  }

  StoreCheck run() {
    look_at_layout();
    read_manifests();
    look_at_blobs();
    look_at_users();
    std::stable_sort(m_out.findings.begin(), m_out.findings.end(),
                     [](const auto& a, const auto& b) { return std::tie(a.kind, a.path) < std::tie(b.kind, b.path); });
    return std::move(m_out);
  }

 private:
  std::string shown(const fs::path& path) const { return printable(path.string()); }
  /// In single quotes, whatever it holds: what is printed gets pasted.
  std::string for_shell(const fs::path& path) const {
    std::string out = "'";
    for (const char c : shown(path)) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
  }
  void add(Kind kind, const fs::path& path, std::string message, std::string fix) {
    m_out.findings.push_back({kind, shown(path), std::move(message), std::move(fix)});
  }
  std::string chown_command(const fs::path& path) const {
    return fmt::format("chown -R {}: {}", m_user.name, for_shell(path));
  }

  void look_at_layout() {
    const auto inner = m_out.store / "models";
    if (!fs::is_directory(inner / "manifests") && !fs::is_directory(inner / "blobs")) return;
    add(Kind::layout, inner, "a store stands in the store: it was copied into it instead of over it",
        fmt::format("cp -a {0}/. {1}/ && rm -r {0}", for_shell(inner), for_shell(m_out.store)));
  }

  void read_manifests() {
    const auto below = m_out.store / "manifests";
    for (const auto& entry : walk(below, k_max_files)) {
      if (S_ISDIR(entry.status.st_mode)) continue;
      const auto at = below / entry.path;
      const auto name = name_of_path(entry.path);
      if (!name) {
        add(Kind::not_manifest, at, "it stands where no manifest stands: manifests are HOST/NAMESPACE/MODEL/TAG",
            fmt::format("move it out of '{}'", shown(below)));
        continue;
      }
      if (!S_ISREG(entry.status.st_mode)) {
        add(Kind::not_manifest, at, "it is no regular file", "put the manifest itself there");
        continue;
      }
      take_manifest(at, *name);
    }
  }

  void take_manifest(const fs::path& at, const Name& name) {
    try {
      const auto manifest = parse_manifest(read_file(at, k_max_manifest_bytes));
      auto& users = m_models[name];
      users.push_back(manifest.config);
      users.insert(users.end(), manifest.layers.begin(), manifest.layers.end());
    } catch (const Error& error) {
      add(Kind::not_manifest, at,
          fmt::format("Ollama takes it for the tag '{}' of '{}', and it is no manifest: {}", name.tag, name.model,
                      error.what()),
          fmt::format("move it out of '{}': signatures and notes have no place there",
                      shown(m_out.store / "manifests")));
    }
  }

  /// What is at the path of a blob, once for all that name it.
  const std::vector<StoreFinding>& look_at(const Layer& layer) {
    const auto known = m_seen.find(layer.digest);
    if (known != m_seen.end()) return known->second;
    auto& found = m_seen[layer.digest];
    const auto at = blob_path(m_out.store, layer.digest);
    const auto bad = [&](Kind kind, std::string message, std::string fix) {
      found.push_back({kind, shown(at), std::move(message), std::move(fix)});
    };
    const auto again = fmt::format("rm -f {} and export or pull the model again", for_shell(at));
    const auto fd = open_file_if_exists(at, O_RDONLY | O_NONBLOCK);
    if (!fd) {
      bad(Kind::missing, "the blob is not there", "export or pull the model again");
      return found;
    }
    const auto status = stat_of(fd->get(), shown(at));
    if (!S_ISREG(status.st_mode)) {
      bad(Kind::missing, "it is no regular file", again);
    } else if (static_cast<std::uint64_t>(status.st_size) != layer.size) {
      bad(Kind::wrong_size, fmt::format("it has {} bytes; the manifest says {}", status.st_size, layer.size), again);
    } else if (sha256_of_file(fd->get(), shown(at)) != layer.digest) {
      bad(Kind::wrong_digest, "its bytes are not what its name says, and Ollama would load it all the same", again);
    } else {
      m_out.hashed += layer.size;
    }
    return found;
  }

  void look_at_blobs() {
    ProgressTask task(m_reporter, "hashing the blobs of " + shown(m_out.store), Unit::bytes, 0);
    for (const auto& [name, layers] : m_models) {
      bool whole = true;
      for (const auto& layer : layers) {
        task.grow(layer.size);
        for (auto finding : look_at(layer)) {
          finding.message = fmt::format("{} (of {})", finding.message, name.text());
          m_out.findings.push_back(std::move(finding));
          whole = false;
        }
        task.advance(layer.size);
      }
      if (whole) m_out.models.push_back(name.text());
    }
    const auto blobs = m_out.store / "blobs";
    for (const auto& entry : walk(blobs, k_max_files)) {
      const auto at = blobs / entry.path;
      const auto digest = digest_of_name(entry.path);
      if (!digest) {
        add(Kind::stray, at, "it is no blob by its name: Ollama removes it when it starts", "move it elsewhere");
      } else if (!m_seen.contains(*digest)) {
        add(Kind::unused, at, "no manifest names it: Ollama removes it when it starts, once it is an hour old",
            "copy the manifest of its model, too, or remove it");
      }
    }
  }

  void require(const fs::path& path, mode_t wanted, const std::string& what) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || may(m_user, status, wanted)) return;
    add(Kind::unreadable, path,
        fmt::format("the user '{}' cannot {} (owner {}, mode {:04o})", m_user.name, what, status.st_uid,
                    status.st_mode & 07777u),
        chown_command(m_out.store));
  }

  void look_at_users() {
    const auto store = fs::absolute(m_out.store).lexically_normal();
    fs::path above = "/";
    for (const auto& part : store.parent_path().relative_path()) {
      above /= part;
      struct stat status {};
      if (::stat(above.c_str(), &status) == 0 && !may(m_user, status, k_search)) {
        add(Kind::unreadable, above, fmt::format("the user '{}' cannot pass through it", m_user.name),
            fmt::format("chmod a+x {}, or put the store elsewhere", for_shell(above)));
      }
    }
    std::set<fs::path> folders{m_out.store, m_out.store / "blobs", m_out.store / "manifests"};
    for (const auto& [name, layers] : m_models) {
      auto folder = manifest_path(m_out.store, name);
      require(folder, k_read, "read the manifest");
      for (int i = 0; i < 3; ++i) folders.insert(folder = folder.parent_path());
    }
    for (const auto& folder : folders) require(folder, k_read | k_write | k_search, "write to the folder");
    for (const auto& [digest, findings] : m_seen) require(blob_path(m_out.store, digest), k_read, "read the blob");
  }

  const StoreUser& m_user;
  Reporter& m_reporter;
  StoreCheck m_out;
  std::map<Name, std::vector<Layer>> m_models;
  std::map<Digest, std::vector<StoreFinding>> m_seen;  ///< blobs that manifests name
};

}  // namespace

std::string_view name(StoreFinding::Kind kind) {
  switch (kind) {
    case Kind::layout:
      return "layout";
    case Kind::not_manifest:
      return "not-manifest";
    case Kind::missing:
      return "missing";
    case Kind::wrong_size:
      return "wrong-size";
    case Kind::wrong_digest:
      return "wrong-digest";
    case Kind::stray:
      return "stray";
    case Kind::unused:
      return "unused";
    case Kind::unreadable:
      return "unreadable";
  }
  return "unknown";
}

StoreCheck check_store(const fs::path& folder, const StoreUser& user, Reporter& reporter) {
  return Check(folder, user, reporter).run();
}

}  // namespace liftlock::ollama
