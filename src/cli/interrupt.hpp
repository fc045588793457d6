// Ctrl-C in commands that take long.
#pragma once

namespace liftlock {

/// From here on SIGINT ends the process with status 130 and a word that says so, as suddenly as it would without: what
/// calls this can be killed anywhere and goes on where it was. Does nothing where SIGINT is ignored.
void resume_after_interrupt();

/// The same for what begins anew, because it only reads (verify, scrub) or leaves nothing half done (model export).
void begin_anew_after_interrupt();

}  // namespace liftlock
