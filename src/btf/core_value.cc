// SPDX-License-Identifier: Apache-2.0
#include "btf/core_value.h"

namespace portolan::btf {
namespace {

using enum abi::CoreReloKind;

// One side's number, and what was found on the way to it.
struct Value {
  std::uint64_t number = 0;
  std::uint32_t size = 0, type_id = 0;  // of a field that is loaded or stored
  bool is_certain = true;
};

abi::CoreReloKind kind_of(const abi::CoreRelo& relo) { return static_cast<abi::CoreReloKind>(relo.kind); }

// Of what one load gets: of arrays, one element.
Result<std::uint32_t> size_of_load(const Btf& btf, std::uint32_t id) {
  id = btf.resolve(id);
  while (is(*btf.type(id), Kind::kArray)) id = btf.resolve(btf.array(*btf.type(id)).type);
  return core_size_of(btf, id);
}

Result<Value> value_of_element(const abi::CoreRelo& relo, const CoreSpec& spec, Log* log) {
  const std::uint32_t id = spec.accessors.back().type_id;
  if (kind_of(relo) == kFieldByteOffset)
    return Value{spec.bit_offset / 8, TRY(size_of_load(*spec.btf, id)), id, true};
  if (kind_of(relo) == kFieldByteSize) return Value{TRY(core_size_of(*spec.btf, id)), 0, 0, true};
  say(log, "prog '': relo {} at insn #{} can't be applied to array access\n", relo.kind, relo.insn_off / 8);
  return fail(EINVAL);
}

// The bytes that are to be loaded to get at a field. All wraps around at 32 bits.
struct Window {
  std::uint32_t byte_offset, bytes, bits;
};

// For a bit field, the fewest that are aligned and hold all of it.
Result<Window> window_of(const abi::CoreRelo& relo, const CoreSpec& spec, std::uint32_t type_id,
                         std::uint32_t bitfield_bits, Log* log) {
  if (bitfield_bits == 0) {
    const std::uint32_t bytes = TRY(core_size_of(*spec.btf, type_id));
    return Window{spec.bit_offset / 8, bytes, bytes * 8};
  }
  std::uint32_t bytes = spec.btf->type(type_id)->size;
  if (bytes == 0) return fail(EINVAL);
  for (;; bytes *= 2) {
    const std::uint32_t offset = spec.bit_offset / 8 / bytes * bytes;
    if (spec.bit_offset + bitfield_bits - offset * 8 <= bytes * 8)
      return Window{offset, bytes, bitfield_bits};
    if (bytes >= 8) break;
  }
  say(log, "prog '': relo {} at insn #{} can't be satisfied for bitfield\n", relo.kind, relo.insn_off / 8);
  return fail(E2BIG);
}

bool is_signed(const Btf& btf, const Type& type) {
  if (is_any_enum(type)) return abi::btf::kind_flag(type);
  return is(type, Kind::kInt) && (abi::btf::int_encoding(btf.int_word(type)) & abi::btf::kIntSigned) != 0;
}

Result<Value> value_of_field(const abi::CoreRelo& relo, const CoreSpec& spec, Log* log) {
  const CoreAccessor& last = spec.accessors.back();
  if (last.name == nullptr) return value_of_element(relo, spec, log);
  const Btf& btf = *spec.btf;
  const Type& owner = *btf.type(last.type_id);
  const abi::btf::Member& member = btf.members(owner)[last.index];
  const std::uint32_t id = btf.resolve(member.type), bits = member_bitfield_size(owner, member);
  const bool is_bitfield = bits != 0;
  const Window window = TRY(window_of(relo, spec, id, bits, log));
  // Of a bit field compilers may have chosen another window.
  Value value{0, 0, 0, !is_bitfield};
  switch (kind_of(relo)) {
    case kFieldByteOffset:
      value.number = window.byte_offset;
      if (!is_bitfield) {
        value.size = TRY(size_of_load(btf, id));
        value.type_id = id;
      }
      return value;
    case kFieldByteSize:
      value.number = window.bytes;
      return value;
    case kFieldSigned:
      return Value{is_signed(btf, *btf.type(id)) ? 1u : 0u, 0, 0, true};
    case kFieldLshiftU64:
      value.number = 64 - (spec.bit_offset + window.bits - window.byte_offset * 8);
      return value;
    case kFieldRshiftU64:
      return Value{64 - window.bits, 0, 0, true};
    default:
      return fail(EINVAL);
  }
}

// Whether a load of another size gets the same value: of pointers, and of numbers without a sign.
bool loads_alike(const Type& local, const Btf& local_btf, const Type& kernel, const Btf& kernel_btf) {
  if (is(local, Kind::kPtr) && is(kernel, Kind::kPtr)) return true;
  const auto has_no_sign = [](const Btf& btf, const Type& type) {
    return is(type, Kind::kInt) && abi::btf::int_encoding(btf.int_word(type)) != abi::btf::kIntSigned;
  };
  return has_no_sign(local_btf, local) && has_no_sign(kernel_btf, kernel);
}

Result<CoreResult> values_of_field(const abi::CoreRelo& relo, const CoreSpec& spec, const CoreSpec* found,
                                   Log* log) {
  CoreResult result;
  if (kind_of(relo) == kFieldExists) {
    result.expected = 1;
    result.value = found != nullptr ? 1 : 0;
    return result;
  }
  const Value expected = TRY(value_of_field(relo, spec, log));
  result.expected = expected.number;
  result.expected_size = expected.size;
  result.is_certain = expected.is_certain;
  if (found == nullptr) {
    result.poison = true;
    return result;
  }
  const Value value = TRY(value_of_field(relo, *found, log));
  result.value = value.number;
  result.size = value.size;
  result.changes_meaning =
      expected.size != value.size && !loads_alike(*spec.btf->type(expected.type_id), *spec.btf,
                                                  *found->btf->type(value.type_id), *found->btf);
  return result;
}

Result<CoreResult> values_of_type(const abi::CoreRelo& relo, const CoreSpec& spec, const CoreSpec* found) {
  CoreResult result;
  const auto number_of = [&](const CoreSpec& one) -> Result<std::uint64_t> {
    if (kind_of(relo) == kTypeIdTarget) return one.type_id;
    if (kind_of(relo) == kTypeSize) return core_size_of(*one.btf, one.type_id);
    return 1;
  };
  result.expected = TRY(number_of(spec));
  result.value = found == nullptr ? 0 : TRY(number_of(*found));
  // Ids of the program's types may have changed since it was compiled.
  result.is_certain = kind_of(relo) != kTypeIdTarget;
  return result;
}

Result<CoreResult> values_of_enumerator(const abi::CoreRelo& relo, const CoreSpec& spec,
                                        const CoreSpec* found) {
  CoreResult result;
  const auto number_of = [&](const CoreSpec& one) -> std::uint64_t {
    if (kind_of(relo) == kEnumvalExists) return 1;
    const CoreAccessor& accessor = one.accessors[0];
    return enumerator_value(*one.btf, *one.btf->type(accessor.type_id), accessor.index);
  };
  result.expected = number_of(spec);
  if (found != nullptr)
    result.value = number_of(*found);
  else
    result.poison = kind_of(relo) == kEnumvalValue;
  return result;
}

}  // namespace

Result<CoreResult> core_values(const abi::CoreRelo& relo, const CoreSpec& spec, const CoreSpec* found,
                               Log* log) {
  switch (spec.subject()) {
    case CoreSubject::kField:
      return values_of_field(relo, spec, found, log);
    case CoreSubject::kType:
      return values_of_type(relo, spec, found);
    case CoreSubject::kEnumval:
      return values_of_enumerator(relo, spec, found);
    case CoreSubject::kNone:
      break;
  }
  return fail(EINVAL);
}

}  // namespace portolan::btf
