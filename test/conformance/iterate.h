// SPDX-License-Identifier: Apache-2.0
// Where a map's contents are seen in an order that the kernel leaves open: complete walks, compared as sets,
// and single steps, of which only that is kept which every order has in common.
#pragma once
#include "observe.h"

namespace portolan::conformance {

void iterate(World& world, int slot, Observation& out);
void walk(World& world, const Operation& operation, Observation& out);
void list_ids(World& world, unsigned command, Observation& out);

// Asked before a GET_NEXT_KEY on a hash: does it start from an element, so that it may find the end or not?
bool next_key_is_open(World& world, const Operation& operation, int slot);
void settle_next_key(World& world, int slot, bool open, Observation& observation);
// Whether a LOOKUP_AND_DELETE_BATCH on a hash has room for everything: one that has not deletes what it
// likes.
bool takes_all(World& world, const Operation& operation, int slot);
// After a LOOKUP(_AND_DELETE)_BATCH on a hash.
void settle_batch(World& world, const Operation& operation, int slot, Observation& observation);

}  // namespace portolan::conformance
