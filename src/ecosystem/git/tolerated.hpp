// What git-fsck(1) finds wrong and is let pass: slips of old programs in dates, names and modes. Everything that makes
// a path, a link or a submodule dangerous stays an error. Message ids: git-fsck(1), "FSCK MESSAGES".
#pragma once

#include <array>
#include <string_view>

namespace liftlock::git {

inline constexpr std::array<std::string_view, 13> k_tolerated = {"badDate",
                                                                 "badDateOverflow",
                                                                 "badEmail",
                                                                 "badFilemode",
                                                                 "badName",
                                                                 "badTimezone",
                                                                 "missingEmail",
                                                                 "missingNameBeforeEmail",
                                                                 "missingSpaceBeforeDate",
                                                                 "missingSpaceBeforeEmail",
                                                                 "missingTaggerEntry",
                                                                 "zeroPaddedDate",
                                                                 "zeroPaddedFilemode"};

}  // namespace liftlock::git
