// High side: one request for git-upload-pack, answered by a git of its own in a sandbox, as its output comes.
// Protocol: gitprotocol-http(5), gitprotocol-v2(5), https://git-scm.com/docs/gitprotocol-http
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ecosystem/git/repository.hpp"
#include "net/live_answer.hpp"
#include "os/fd.hpp"

namespace liftlock::git {

struct UploadPack {
  enum class Step : std::uint8_t { advertise, serve };
  Step step = Step::advertise;
  std::string protocol;  ///< see accepted_protocol()
  UniqueFd body;         ///< of serve
};

/// What git gets as GIT_PROTOCOL: the header Git-Protocol where it asks for version 1 or 2, else empty, which is 0.
std::string accepted_protocol(std::string_view header);

/// At most 8 answers are made at a time in this process, an hour each; 64 wait, a minute each.
std::shared_ptr<LiveAnswer> make_upload_pack(std::shared_ptr<Repositories> repositories, RepositorySource source,
                                             UploadPack request);

}  // namespace liftlock::git
