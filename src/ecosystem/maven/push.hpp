// High side: modules into a Maven repository of the site, as `mvn deploy` puts them there: files in Maven's layout,
// their checksums, and maven-metadata.xml. Specification: docs/formats/push.md.
#pragma once

#include "ecosystem/push.hpp"

namespace liftlock::maven {

std::unique_ptr<PushTarget> make_maven_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock::maven
