// SPDX-License-Identifier: Apache-2.0
// What iterators go through: the elements of a map, or the objects of a runtime. Each has a place, by which a
// later read goes on.
#pragma once
#include <memory>
#include <string_view>

#include "map/map.h"
#include "verifier/program.h"

namespace portolan::hook {

// The context of such a program: struct bpf_iter__…, whose first member is the meta.
struct IterContext {
  std::uint64_t meta = 0;
  std::uint64_t members[3] = {};
};

class Iterated {
 public:
  virtual ~Iterated() = default;
  // The first one at that place or behind it, which `place` becomes; false: there is none. It stays until the
  // next call.
  virtual bool find(std::uint64_t& place) = 0;
  // What the program is given of the one that was found, or, without one, at the end.
  virtual void fill(IterContext& context, bool is_end) const = 0;
};

// The names of the kernel's targets that are here; empty: the program is for none of them.
std::string_view iterated_by(const verifier::Program& program);
// Whether a program that touches so much may go through that map. EINVAL: not a type that has elements;
// EACCES.
Result<void> check_iterated_map(const map::Map& map, const verifier::BufferBytes& bytes);
// `map` nullptr: that target needs none. What StructImage::create() says.
Result<std::unique_ptr<Iterated>> make_iterated(object::Runtime& runtime, std::string_view target,
                                                map::Map* map);

}  // namespace portolan::hook
