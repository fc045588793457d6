// The commands of the register of media (bundle/media_register.hpp).
#pragma once

#include "bundle/media_register.hpp"

namespace CLI {
class App;
}

namespace liftlock {

class Invocation;

void add_media_in(CLI::App& group, Invocation& invocation);
void add_media_out(CLI::App& group, Invocation& invocation);
void add_media_ls(CLI::App& group, Invocation& invocation);
void add_media_verify(CLI::App& group, Invocation& invocation);

}  // namespace liftlock
