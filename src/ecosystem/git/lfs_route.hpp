// High side: files of Git LFS, for downloads. Source: git-lfs docs/api/batch.md, docs/api/basic-transfers.md
#pragma once

#include <string>
#include <string_view>

#include "artifact/artifact.hpp"
#include "net/http.hpp"

namespace liftlock::git {

/// The one question there is, behind a repository's address.
inline constexpr std::string_view k_lfs_batch = "info/lfs/objects/batch", k_lfs_objects = "info/lfs/objects/",
                                  k_lfs = "info/lfs/";

/// The file of the repository that has this oid; nullptr: it has none such.
const ArtifactFile* find_lfs_file(const Artifact& repository, std::string_view oid);

/// Where each of the files that are asked for is, below `base` ("https://mirror/git/NAME/info/lfs/objects/"); of one
/// that is not here, 404, of one with another size, 422. An upload is refused with 403, what is no question of this
/// protocol with 409, 413, 415 or 422.
HttpResponse answer_lfs_batch(const HttpRequest& request, const Artifact& repository, std::string_view base);

/// The protocol's document of an error, which git-lfs shows its user.
HttpResponse lfs_refusal(const HttpRequest& request, int status, std::string message);

/// "https://HOST" as the client addressed this server: X-Forwarded-Proto, else `scheme`, and Host.
/// @throws Error{bad_request} without a Host that can be one
std::string address_of_server(const HttpRequest& request, std::string_view scheme);

}  // namespace liftlock::git
