// SPDX-License-Identifier: Apache-2.0
// Random BTF: type graphs that are nearly right.
#include "generator.h"

namespace portolan::conformance {
namespace {

enum Kind : std::uint32_t { kLastKind = 19 };

std::string_view pick_name(Dice& dice) {
  static constexpr std::string_view kNames[] = {"",
                                                "a",
                                                "b",
                                                "name",
                                                "bpf_spin_lock",
                                                "bpf_timer",
                                                "_x1",
                                                "bpf_list_head",
                                                "bpf_res_spin_lock",
                                                "bpf_wq",
                                                "9x",
                                                "a b",
                                                "a.b",
                                                ".data"};
  return dice.percent(60) ? kNames[1 + dice.below(3)] : kNames[dice.below(std::size(kNames))];
}

std::uint32_t info_word(std::uint32_t kind, std::uint32_t length, bool flag) {
  return (flag ? 1u << 31 : 0) | kind << 24 | length;
}

// A type id: mostly one that is there.
std::uint32_t pick_type(Dice& dice, std::uint32_t types) {
  return dice.percent(97) ? dice.below(types + 1) : dice.below(types + 4);
}

void add_members(BtfBlob& blob, Dice& dice, std::uint32_t kind, std::uint32_t types) {
  const std::uint32_t members = dice.below(4);
  const bool bitfields = dice.one_in(8);
  std::uint32_t size = kind == 5 ? 8 : members * 8;
  if (dice.one_in(10)) size = dice.below(40);
  blob.add_raw({blob.add_name(pick_name(dice)), info_word(kind, members, bitfields), size});
  for (std::uint32_t i = 0; i < members; ++i) {
    std::uint32_t offset = kind == 5 ? 0 : i * 64;
    if (dice.one_in(12)) offset = dice.below(300);
    if (bitfields && dice.one_in(2)) offset |= (1 + dice.below(33)) << 24;
    blob.add_raw({blob.add_name(pick_name(dice)), pick_type(dice, types), offset});
  }
}

void add_function(BtfBlob& blob, Dice& dice, std::uint32_t types) {
  const std::uint32_t arguments = dice.below(4);
  blob.add_raw({0, info_word(13, arguments, false), pick_type(dice, types)});
  for (std::uint32_t i = 0; i < arguments; ++i)
    blob.add_raw(
        {blob.add_name(pick_name(dice)), i + 1 == arguments && dice.one_in(4) ? 0 : pick_type(dice, types)});
}

void add_type(BtfBlob& blob, Dice& dice, std::uint32_t types) {
  const std::uint32_t kind = dice.percent(25)  ? 1
                             : dice.one_in(60) ? dice.below(32)
                                               : 1 + dice.below(kLastKind);
  const bool flag = dice.one_in(25), named = !dice.one_in(12);
  const auto name = [&](bool wanted) { return blob.add_name(wanted == named ? pick_name(dice) : ""); };
  switch (kind) {
    case 1: {
      const auto size = static_cast<std::uint32_t>(dice.of({1, 2, 4, 4, 8, 16, 3, 0, 32}));
      const auto bits = dice.percent(85) ? size * 8 : dice.below(140);
      const auto encoding =
          static_cast<std::uint32_t>(dice.of({0, 1, 2, 4, 0, 1, 2, 4, 0, 1, 0, 1, 0, 3, 8}));
      blob.add_raw({name(true), info_word(1, dice.one_in(60), flag), size,
                    encoding << 24 | (dice.one_in(15) ? dice.below(40) << 16 : 0) | bits});
      return;
    }
    case 3: {
      const auto count = static_cast<std::uint32_t>(dice.of({0, 1, 2, 5, 100, 1u << 20, 1u << 31, ~0u}));
      blob.add_raw({name(false), info_word(3, 0, flag), dice.one_in(40), pick_type(dice, types),
                    pick_type(dice, types), count});
      return;
    }
    case 4:
    case 5:
      add_members(blob, dice, kind, types);
      return;
    case 6:
    case 19: {
      const std::uint32_t values = dice.below(4);
      blob.add_raw({name(true), info_word(kind, values, flag),
                    static_cast<std::uint32_t>(dice.of({4, 4, 8, 1, 2, 16, 3}))});
      for (std::uint32_t i = 0; i < values; ++i) {
        blob.add_raw({blob.add_name(pick_name(dice)), dice.below(1000)});
        if (kind == 19) blob.add_raw({0});
      }
      return;
    }
    case 13:
      add_function(blob, dice, types);
      return;
    case 15: {
      const std::uint32_t variables = dice.below(3);
      blob.add_raw({blob.add_name(dice.one_in(3) ? pick_name(dice) : ".data"), info_word(15, variables, flag),
                    variables * 8});
      for (std::uint32_t i = 0; i < variables; ++i)
        blob.add_raw({pick_type(dice, types), i * 8, dice.one_in(10) ? dice.below(20) : 4});
      return;
    }
    case 14:
      blob.add_raw({name(true), info_word(14, 0, flag), pick_type(dice, types), dice.below(4)});
      return;
    case 16:
      blob.add_raw(
          {name(true), info_word(16, 0, flag), static_cast<std::uint32_t>(dice.of({4, 8, 2, 12, 16, 3, 0}))});
      return;
    case 17:
      blob.add_raw({name(true), info_word(17, 0, flag), pick_type(dice, types), dice.below(4) - 1});
      return;
    case 12:
      blob.add_raw({name(true), info_word(12, dice.below(4), flag), pick_type(dice, types)});
      return;
    default: {
      const bool wants_name = kind == 7 || kind == 8 || kind == 18;
      blob.add_raw({name(wants_name), info_word(kind, dice.one_in(60), flag || (kind == 7 && dice.one_in(2))),
                    kind == 7 && !dice.one_in(20) ? 0 : pick_type(dice, types)});
      return;
    }
  }
}

}  // namespace

std::vector<Operation> generate_btf(const SequenceOptions& options) {
  Dice dice(options.seed);
  std::vector<Operation> sequence;
  while (sequence.size() < options.operations) {
    BtfBlob blob;
    const std::uint32_t types = 1 + dice.below(7);
    for (std::uint32_t type = 0; type < types; ++type) add_type(blob, dice, types);
    Content bytes = blob.bytes();
    if (dice.one_in(4)) bytes[dice.below(bytes.size())] ^= static_cast<std::byte>(1u << dice.below(8));
    Operation operation;
    operation.command = kBtfLoad;
    operation.attr.set(btf::kBtfSize, bytes.size());
    operation.buffers.push_back({btf::kBtf, Place::kWritable, std::move(bytes), false});
    sequence.push_back(std::move(operation));
  }
  return sequence;
}

}  // namespace portolan::conformance
