// [python.NAME]: Python requirements, resolved by the pip of the target interpreter with the user's own configuration.
#pragma once

#include <memory>

#include "ecosystem/collector.hpp"

namespace liftlock {

/// Wheels come from where pip found them: an index (evidence "index-hash": the SHA-256 that pip reports for the file,
/// which is the index's, or pip's own when the index has none) or a file: URL of find-links ("first-use").
std::unique_ptr<Collector> make_pypi_collector();

}  // namespace liftlock
