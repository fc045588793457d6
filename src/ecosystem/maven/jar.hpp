// Is a file the zip that its name says? What is in a jar is the build's, and is not looked at.
#pragma once

namespace liftlock::maven {

/// It begins with a zip's first record and ends with its directory, which lies within the file. Not as strict as for
/// wheels: jars have names twice, and what runs has a script in front.
/// @throws Error{package_malformed}
void require_jar(int fd);

}  // namespace liftlock::maven
