// High side: how an ecosystem's artifacts go into a repository that the site runs already. Specification:
// docs/formats/push.md. The repository is not trusted; it learns nothing but the artifacts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "ecosystem/http_repository.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

using PushProgress = std::function<void(std::uint64_t)>;

/// What a repository lacks of one artifact.
class PushPlan {
 public:
  virtual ~PushPlan() = default;

  std::string place;               ///< what people look for there: "simple/idna", "airgap/hello:1"
  std::size_t lacking = 0;         ///< files to send
  std::size_t known = 0;           ///< files that it has, byte for byte
  std::uint64_t bytes = 0;         ///< to send
  std::vector<std::string> other;  ///< what is there with other bytes: nothing of the artifact can be sent
  /// Another artifact of this run that `place` is of as well, and that was planned before; `other` names the place
  /// then. Empty: what is there was there.
  std::string rival;
  /// Why the artifact cannot go while the others do, for people: "the store does not hold …". Nothing else is set then.
  std::string left_out;
  Json details = Json::object();  ///< for the audit log and --json; send() may add to it
  /// What stands at the place where that is not what the artifact's own digest names, for people: "its one platform
  /// …". Known where an earlier push did it, else after send(). Empty: what stands there is the artifact.
  std::string differs;

  bool is_done() const { return lacking == 0 && other.empty(); }
  /// Sends what is lacking, in an order that leaves nothing half to be seen where the protocol allows that.
  /// @param progress is told of bytes as they go
  /// @throws Error{network, tls_invalid, unauthorized, http_status}; Error{immutable} when the repository holds other
  ///         bytes now; Error{not_found, blob_corrupt} when the store lacks a file, or no longer has what its name says
  virtual void send(const PushProgress& progress) = 0;
};

/// A plan of files that go one by one.
class FilesPlan final : public PushPlan {
 public:
  using Send = std::function<void(const ArtifactFile& file, const PushProgress& progress)>;
  explicit FilesPlan(Send send) : m_send(std::move(send)) {}
  /// Counts it, and sends it later where nothing is there. @param where it is there, for people
  void add(const ArtifactFile& file, HttpRepository::Found found, std::string where);
  void send(const PushProgress& progress) override;

 private:
  Send m_send;
  std::vector<ArtifactFile> m_files;
};

/// One repository; for one thread.
class PushTarget {
 public:
  virtual ~PushTarget() = default;
  /// Asks what is there; the plan may not outlive the target. Plans are made in the order of the artifacts' ids, all
  /// of them before the first is sent.
  /// @throws as PushPlan::send
  virtual std::unique_ptr<PushPlan> plan(const Artifact& artifact) = 0;
  /// What finish() has to do, for the audit log; nullopt: nothing. Asks the repository, and changes nothing there.
  /// Asked after the last plan was sent, and also where none had to be.
  virtual std::optional<Json> to_finish() { return std::nullopt; }
  /// What makes the repository show what was sent, where to_finish() says that there is something.
  virtual void finish() {}
};

/// What config.toml says of a repository.
struct PushSettings {
  std::string table;                               ///< "[repository.pypi]": for errors
  std::optional<RepositoryAccess> access;          ///< none: it is a folder
  fs::path folder;                                 ///< absolute
  std::map<std::string, std::string> of_its_kind;  ///< what else its kind has

  /// A key of its kind; empty when it is not there.
  std::string text(std::string_view key) const;
};

/// @throws Error{config_invalid}
using MakePushTarget = std::unique_ptr<PushTarget> (*)(const PushSettings& settings, const BlobStore& store);

/// One line of the table of repositories (cli/ecosystems_high.cpp). A kind of repository may have several.
struct PushKind {
  std::string_view repository;              ///< `kind` of config.toml
  std::vector<std::string_view> artifacts;  ///< kinds of artifacts that it is for
  std::vector<std::string_view> if_asked;   ///< and those that it takes where `takes` names them; "*": any
  MakePushTarget make;
};

}  // namespace liftlock
