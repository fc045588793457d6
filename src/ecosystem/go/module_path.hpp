// Paths and versions of Go modules: https://go.dev/ref/mod#go-mod-file-ident, #versions, #goproxy-protocol
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace liftlock::go {

/// "github.com/BurntSushi/toml": at most 512 bytes of ASCII letters, digits and -._~/, elements that are not empty,
/// begin or end with a dot, or are names of devices.
bool is_module_path(std::string_view path);
/// "v1.2.3", "v0.0.0-20161208181325-20d25e280405", "v2.0.0+incompatible": canonical semantic versions, at most 256
/// bytes.
bool is_module_version(std::string_view version);

/// '!' and the small letter for each capital, so that file systems that do not tell them apart do no harm.
std::string escape_module(std::string_view path_or_version);
/// nullopt for what escape_module() does not make.
std::optional<std::string> unescape_module(std::string_view escaped);

/// -1, 0 or 1 by semantic versioning §11; "+incompatible" comes after the same without it. Both must be versions.
int compare_versions(std::string_view a, std::string_view b);
bool is_prerelease(std::string_view version);
/// "20161208181325" of a pseudo-version (https://go.dev/ref/mod#pseudo-versions).
std::optional<std::string> pseudo_version_time(std::string_view version);

}  // namespace liftlock::go
