// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "btf/checker.h"
#include "btf/special_fields.h"

namespace portolan::btf {

using abi::btf::Header;

const Checker::Ops Checker::kOps[abi::btf::kKindEnd] = {
    {},
#define PORTOLAN_BTF_KIND(kind, name, traits, meta, resolve, member, bitfield, details, show) \
  {&Checker::meta, &Checker::resolve, &Checker::member, &Checker::bitfield, &Checker::details},
#include "btf/kinds.def"
#undef PORTOLAN_BTF_KIND
};

Result<void> Checker::run() {
  TRY(check_header());
  TRY(take_strings());
  TRY(take_types());
  TRY(check_metas());
  TRY(check_types());
  TRY(check_type_tags());
  btf_.struct_metas_ = TRY(find_struct_metas(btf_));
  for (const StructMeta& meta : btf_.struct_metas_) TRY(check_ownership(btf_, meta.fields));
  return {};
}

void Checker::log_header() {
  print("magic: 0x{:x}\n", header_.magic);
  print("version: {}\n", header_.version);
  print("flags: 0x{:x}\n", header_.flags);
  print("hdr_len: {}\n", header_.hdr_len);
  print("type_off: {}\n", header_.type_off);
  print("type_len: {}\n", header_.type_len);
  print("str_off: {}\n", header_.str_off);
  print("str_len: {}\n", header_.str_len);
  print("btf_total_size: {}\n", blob_.size());
}

Result<void> Checker::check_header() {
  if (blob_.size() < offsetof(Header, type_off)) return bad("hdr_len not found");
  const auto length = load_unaligned<std::uint32_t>(blob_.data() + offsetof(Header, hdr_len));
  if (blob_.size() < length) return bad("btf_header not found");
  if (length > sizeof(Header)) {
    const ConstBytes unknown = blob_.subspan(sizeof(Header), length - sizeof(Header));
    if (std::ranges::any_of(unknown, [](std::byte byte) { return byte != std::byte{0}; })) {
      print("Unsupported btf_header");
      return fail(E2BIG);
    }
  }
  // What a shorter header leaves out is 0, be it hdr_len itself.
  std::memcpy(&header_, blob_.data(), std::min<std::size_t>(length, sizeof(Header)));
  log_header();
  if (header_.magic != abi::btf::kMagic) return bad("Invalid magic");
  if (header_.version != abi::btf::kVersion) {
    print("Unsupported version");
    return fail(kEnotsupp);
  }
  if (header_.flags != 0) {
    print("Unsupported flags");
    return fail(kEnotsupp);
  }
  if (blob_.size() == header_.hdr_len) return bad("No data");
  return check_sections();
}

// The two sections must fill what follows the header, in any order, without gap or overlap.
Result<void> Checker::check_sections() {
  struct Section {
    std::uint32_t offset;
    std::uint32_t length;
  };
  Section sections[] = {{header_.type_off, header_.type_len}, {header_.str_off, header_.str_len}};
  const auto order = [](std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); };
  const std::int32_t by_offset = order(sections[0].offset, sections[1].offset);
  if (by_offset > 0 || (by_offset == 0 && order(sections[0].length, sections[1].length) > 0))
    std::swap(sections[0], sections[1]);

  const auto available = static_cast<std::uint32_t>(blob_.size()) - header_.hdr_len;
  std::uint32_t total = 0;
  for (const Section& section : sections) {
    if (section.offset > available) return bad("Invalid section offset");
    if (section.offset > total) return bad("Unsupported section found");
    if (section.offset < total) return bad("Section overlap found");
    if (section.length > available - total) return bad("Total section length too long");
    total += section.length;
  }
  if (total != available) return bad("Unsupported section found");
  return {};
}

Result<void> Checker::take_strings() {
  const ConstBytes body = blob_.subspan(header_.hdr_len);
  if (std::size_t{header_.str_off} + header_.str_len != body.size())
    return bad("String section is not at the end");
  const ConstBytes strings = body.subspan(header_.str_off, header_.str_len);
  if (strings.empty() || strings.size() - 1 > abi::btf::kMaxNameOffset || strings.back() != std::byte{0} ||
      strings.front() != std::byte{0})
    return bad("Invalid string section");
  btf_.strings_.resize(strings.size());
  std::memcpy(btf_.strings_.data(), strings.data(), strings.size());
  return {};
}

Result<void> Checker::take_types() {
  if (header_.type_off % sizeof(std::uint32_t) != 0) return bad("Unaligned type_off");
  if (header_.type_len == 0) return bad("No type found");
  // A copy by itself, since hdr_len may leave the section unaligned.
  const ConstBytes types = blob_.subspan(header_.hdr_len + header_.type_off, header_.type_len);
  btf_.types_.assign(types.begin(), types.end());
  return {};
}

}  // namespace portolan::btf
