#include "engine/page_check.hpp"

#include "base/error.hpp"

namespace liftlock::engine {
namespace {

/// @param expected of each file
bool keeps_all(const CheckedModel& model, const std::vector<Digest>& expected, const VerityCalls& calls) {
  bool all = true;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    const auto found = calls.measure(model.files[i].file.get());
    all = all && found.has_value();
    if (!found || *found == expected.at(i)) continue;
    throw Error(
        ErrorCode::blob_corrupt,
        fmt::format("the kernel keeps '{}' by the fs-verity digest {} instead of {}",
                    model.artifact.files[i].path.text(), found->hex(), expected[i].hex()),
        "`liftlock scrub --quarantine` tells whether its bytes are others: then ingest it again; where they are "
        "right, fs-verity was enabled with a salt or other blocks than 4096: put a copy of the file in its place");
  }
  return all;
}

}  // namespace

bool is_kept_by_kernel(const CheckedModel& model, const EarlierCheck& earlier, const VerityCalls& calls) {
  return keeps_all(model, earlier.verity, calls);
}

void have_kernel_keep(CheckedModel& model, const BlobStore& store, const VerityCalls& calls, VerityRefusals& refusals) {
  const bool is_to_be_hashed = model.verity.empty();
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    const int fd = model.files[i].file.get();
    // What the store only refers to is somebody's own file, who may want to write it.
    if (!store.holds(model.artifact.files[i].digest) || calls.measure(fd) || refusals.contains(fd)) continue;
    if (calls.enable(fd) == VerityOutcome::refused) refusals.add(fd);
    if (is_to_be_hashed || calls.measure(fd)) model.states[i] = state_of(stat_of(fd, model.files[i].path));
  }
}

bool is_kept_as_checked(const CheckedModel& model, std::size_t number, int fd, const VerityCalls& calls) {
  return calls.measure(fd) == model.verity.at(number);
}

void settle_assurance(CheckedModel& model, const VerityCalls& calls) {
  if (keeps_all(model, model.verity, calls)) model.assurance = Assurance::fs_verity;
}

}  // namespace liftlock::engine
