// SPDX-License-Identifier: Apache-2.0
// Reading a pinned map: what `cat` on the bpffs shows.
#include <fmt/format.h>

#include "btf/print.h"
#include "map/array.h"
#include "map/btf_object.h"
#include "map/map.h"
#include "map/scratch.h"

namespace portolan::map {
namespace {

Result<void> show_value(const Map& map, const btf::Btf& btf, const std::byte* value, std::string& out) {
  const auto show = [&](const std::byte* one) {
    return btf::print_value(btf, map.spec().btf_value_type_id, {one, map.value_size()}, btf::kPinnedMapFlags,
                            out);
  };
  if (!map.is_per_cpu()) {
    TRY(show(value));
    out += '\n';
    return {};
  }
  out += "{\n";
  for (std::uint32_t cpu = 0; cpu < map.spec().cpus; ++cpu) {
    fmt::format_to(std::back_inserter(out), "\tcpu{}: ", cpu);
    TRY(show(value + cpu * round_up(map.value_size(), 8)));
    out += '\n';
  }
  out += "}\n";
  return {};
}

}  // namespace

Result<void> Map::show_key(const btf::Btf& btf, const std::byte* key, std::string& out) const {
  return btf::print_value(btf, spec_.btf_key_type_id, {key, spec_.key_size}, btf::kPinnedMapFlags, out);
}

// The key of an array may have no type: .data and the like.
Result<void> ArrayBase::show_key(const btf::Btf&, const std::byte* key, std::string& out) const {
  fmt::format_to(std::back_inserter(out), "{}", index_of(key));
  return {};
}

Result<std::string> Map::seq_show() {
  if (!has_seq_show() || spec_.btf_id == 0) return fail(EIO);
  object::View* object = TRY(runtime().view_by_id(object::Kind::kBtf, spec_.btf_id));
  const btf::Btf& types = *TRY(static_cast<BtfObject*>(object)->parsed());
  std::string out =
      "# WARNING!! The output is for debug purpose only\n# WARNING!! The output format will change\n";
  Scratch key_room, next_room, value_room;
  std::byte* key = TRY(key_room.take(spec_.key_size));
  std::byte* next = TRY(next_room.take(spec_.key_size));
  std::byte* value = TRY(value_room.take(value_bytes()));
  for (const std::byte* from = nullptr; get_next_key(from, next); from = key) {
    std::memcpy(key, next, spec_.key_size);
    if (!lookup_elem_copy(key, value, 0)) continue;
    TRY(show_key(types, key, out));
    out += ": ";
    TRY(show_value(*this, types, value, out));
  }
  return out;
}

}  // namespace portolan::map
