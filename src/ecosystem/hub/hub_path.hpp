// High side: what a request to a Hugging Face Hub asks for, read from its path (huggingface_hub hf_api.py,
// file_download.py; llama.cpp common/hf-cache.cpp). No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::hub {

enum class Asks : std::uint8_t {
  list,        ///< api/models, api/datasets
  info,        ///< api/models/REPO, api/models/REPO/revision/REV
  tree,        ///< api/models/REPO/tree/REV[/FOLDER]
  refs,        ///< api/models/REPO/refs
  paths_info,  ///< api/models/REPO/paths-info/REV
  file,        ///< REPO/resolve/REV/PATH, datasets/REPO/resolve/REV/PATH
};

/// A Hub keeps them apart: a model and a data set may have one name.
enum class Holds : std::uint8_t { model, dataset };

struct HubRequest {
  Asks asks = Asks::list;
  std::string repository;
  std::string revision = "main";
  std::string path;  ///< of a file or a folder; may be empty
  Holds holds = Holds::model;

  bool operator==(const HubRequest&) const = default;
};

/// All ways to read the path: "a/tree/main" may be of the repository "a" or of "a/tree". Those of "ORG/NAME" first.
/// @param raw_path behind the route's prefix, percent escapes as sent: a revision may hold "%2F". Empty for a path that
/// is none of the protocol
std::vector<HubRequest> read_hub_path(std::string_view raw_path);

}  // namespace liftlock::hub
