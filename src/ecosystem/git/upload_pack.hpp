// High side: one request for git-upload-pack, answered by a git of its own in a sandbox, as its output comes.
// Protocol: gitprotocol-http(5), gitprotocol-v2(5), https://git-scm.com/docs/gitprotocol-http
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ecosystem/git/repository.hpp"
#include "net/live_answer.hpp"

namespace liftlock::git {

struct UploadPack {
  std::string protocol;        ///< see accepted_protocol()
  std::string body, encoding;  ///< as they were sent
  std::string peer;            ///< the client's address
};

/// What git gets as GIT_PROTOCOL: the header Git-Protocol where it asks for version 1 or 2, else empty, which is 0.
std::string accepted_protocol(std::string_view header);

/// git shows its user a text that is plain, and no other. Of 503, with Retry-After.
HttpResponse plain_refusal(const Error& error);

/// At most 8 answers are made at a time in this process, 6 of them for one address, an hour each; 64 wait, a minute
/// each. All bodies that wait have 128 MiB at most; they are inflated when it is their turn.
/// @throws Error{overloaded}
std::shared_ptr<LiveAnswer> make_upload_pack(std::shared_ptr<Repositories> repositories, RepositorySource source,
                                             UploadPack request);

/// Answers once the repository was made.
/// @param make what with; `repository` as Repositories::find() gives it
std::shared_ptr<LiveAnswer> make_when_made(std::shared_ptr<Repositories> repositories, RepositorySource source,
                                           std::function<HttpResponse(int repository)> make);

}  // namespace liftlock::git
