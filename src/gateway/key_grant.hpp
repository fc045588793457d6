// What an admin's key may give to others over HTTP: nothing that it may not do itself. Rules: docs/formats/access.md.
#pragma once

#include "access/key_ring.hpp"
#include "access/labels.hpp"
#include "record/record.hpp"

namespace liftlock {

/// Is there nothing that the other role may do and the maker may not? Who cannot make a key does not revoke it either.
bool is_within(UserRole other, UserRole maker);

/// Compares the role, models, limits, end, label and mode of the record. A limit binds each key by itself: two keys
/// have twice as much.
/// @param site_mode of the record, where a key says none
/// @throws Error{forbidden} that names the member that is more than the maker's
void require_within(const ApiKey& wanted, const ApiKey& maker, const Labels& labels, RecordMode site_mode);

}  // namespace liftlock
