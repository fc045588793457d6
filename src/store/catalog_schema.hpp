// The tables of catalog.db, version by version. Described in docs/formats/store.md.
#pragma once

#include <span>

namespace liftlock {

/// For Database::migrate. Steps that were released are never edited: a change is a step of its own.
std::span<const char* const> catalog_migrations();

}  // namespace liftlock
