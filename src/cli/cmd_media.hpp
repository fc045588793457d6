// The register of media: what left and what came in, on what, with whom. It is kept in the audit log.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace liftlock {

class Invocation;

/// Types of its entries; the subject is the medium's serial number.
inline constexpr std::string_view k_media_in_event = "media.in";
inline constexpr std::string_view k_media_out_event = "media.out";

void add_media_in(CLI::App& group, Invocation& invocation);
void add_media_out(CLI::App& group, Invocation& invocation);
void add_media_ls(CLI::App& group, Invocation& invocation);
void add_media_verify(CLI::App& group, Invocation& invocation);

}  // namespace liftlock
