// What an ecosystem's own clients read from a folder, where there is no mirror: files of artifacts, and small documents
// made of them. Each room says what lies where; `export` writes it (cli/export_ecosystems.cpp).
#pragma once

#include <map>
#include <string>

#include "artifact/artifact.hpp"

namespace liftlock {

/// By paths below one folder, each a RelPath; none is in both.
struct PlainLayout {
  std::map<std::string, ArtifactFile> files;     ///< the path in a bundle that each has counts for nothing here
  std::map<std::string, std::string> documents;  ///< indexes and configurations, which name the files
};

}  // namespace liftlock
