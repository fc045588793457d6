// Data sets: is a file data, or does it run code when somebody loads it? docs/guides/datasets.md.
#pragma once

#include <string>
#include <string_view>

#include "ecosystem/inspector.hpp"

namespace liftlock {

inline constexpr std::string_view k_dataset_kind = "dataset";

/// Why a file of this name is no data to load ("a loading script …"); empty when the name is fine. Containers (.tar,
/// .gz, .zip …) are data here, unlike in a model.
std::string why_unsafe_dataset_name(std::string_view path);

/// Refused: loading scripts, pickles and what holds them, programs, Parquet files without their marks at both ends.
/// Archives and compressed files pass with a note, for nobody looked into them. Of the card (README.md) the facts are
/// those of read_model_card().
class DatasetInspector final : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock
