// What AtomicFile leaves of a writer that was killed: a file of its own beside the one that was meant.
#pragma once

#include <filesystem>

namespace liftlock {

/// Removes what killed writers of this path left beside it. Only where nobody else writes it now, and somebody looks at
/// every file of the folder, as in a bundle. @throws Error{io_error}
void remove_leftovers(const std::filesystem::path& path);

}  // namespace liftlock
