// SPDX-License-Identifier: Apache-2.0
// Zero members are left out unless flags ask for them. Whether a struct or array has anything to show is
// known only after a walk through it, so each is walked twice: first silently, noting how deep something is
// to be shown (deepest_), then, if that lies within it, with output. Within a silent walk everything is
// silent.
#include "btf/print.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "btf/name.h"
#include "btf/type_name.h"

namespace portolan::btf {
namespace {

using abi::btf::Member;
namespace show_flag = abi::btf::show_flag;

constexpr std::uint32_t kMaxDepth = 200;
constexpr std::uint64_t kMaxSteps = 1u << 24;  // of the walk: array elements of no size may be 2^32

class Printer {
 public:
  Printer(const Btf& btf, ConstBytes value, std::uint64_t flags, std::string& out)
      : btf_(btf), value_(value), flags_(flags), out_(out) {}

  Result<void> run(std::uint32_t id) {
    const Type* type = btf_.type(id);
    if (type == nullptr || btf_.is_void(*type)) return fail(EINVAL);
    show({*type, id, 0, 0});
    if (exhausted_) return fail(E2BIG);
    return {};
  }

 private:
  // What is to be shown.
  struct Item {
    const Type& type;
    std::uint32_t id;  // as it was named, before modifiers were resolved
    std::uint64_t offset;
    std::uint32_t bit_offset;  // below 8
  };
  using Show = void (Printer::*)(const Item& item);
  static const Show kShow[abi::btf::kKindEnd];

  void show(const Item& item) {
    if (++steps_ > kMaxSteps || depth_ > kMaxDepth) exhausted_ = true;
    if (!exhausted_) (this->*kShow[abi::btf::info_kind(item.type.info)])(item);
  }

  void integer(const Item& item);
  void pointer(const Item& item);
  void array(const Item& item) { twice(item, &Printer::array_once); }
  void aggregate(const Item& item) { twice(item, &Printer::aggregate_once); }
  void enumerator(const Item& item);
  void enumerator64(const Item& item);
  void resolved(const Item& item);
  void section(const Item& item);
  void unsupported(const Item& item) {
    write(fmt::format("<unsupported kind:{}>", abi::btf::info_kind(item.type.info)));
  }

  void twice(const Item& item, Show once);
  void array_once(const Item& item);
  void aggregate_once(const Item& item);
  void bits(std::uint64_t offset, std::uint32_t bit_offset, std::uint32_t count);
  void begin(const Item& item);
  void end();
  void begin_aggregate(const Item& item);
  void end_aggregate(const char* bracket);

  template <class T>
  T load(std::uint64_t offset) const {
    T loaded{};
    if (offset < value_.size())
      std::memcpy(&loaded, value_.data() + offset,
                  std::min<std::size_t>(sizeof loaded, value_.size() - offset));
    return loaded;
  }
  bool has(std::uint64_t flag) const { return (flags_ & flag) != 0; }
  void write(std::string_view text) {
    if (silent_at_ == 0) out_ += text;
  }
  // One value with its surroundings, unless it is zero and zeros are left out.
  void put(bool is_zero, std::string_view text) {
    if (is_zero && !has(show_flag::kZero) && depth_ != 0) return;
    write(indent());
    write(type_name());
    write(text);
    write(delimiter());
    write(newline());
    deepest_ = std::max(deepest_, depth_);
  }
  std::string indent() const {
    return std::string(has(show_flag::kCompact) ? 0 : std::min(depth_, 32u), ' ');
  }
  const char* newline() const { return has(show_flag::kCompact) ? "" : "\n"; }
  const char* delimiter() const {
    if (depth_ == 0) return "";
    return has(show_flag::kCompact) && current_ != nullptr && is(*current_, Kind::kUnion) ? "|" : ",";
  }
  std::string type_name() const {
    if (in_array_ || silent_at_ != 0) return {};
    return shown_type_name(btf_, member_, current_id_, has(show_flag::kNoname));
  }

  const Btf& btf_;
  ConstBytes value_;
  std::uint64_t flags_;
  std::string& out_;
  std::uint64_t steps_ = 0;
  bool exhausted_ = false;

  std::uint32_t depth_ = 0;
  std::uint32_t deepest_ = 0;    // where something was to be shown
  std::uint32_t silent_at_ = 0;  // one more than the depth of what is walked silently; 0: nothing is
  const Type* current_ = nullptr;
  std::uint32_t current_id_ = 0;
  const Member* member_ = nullptr;  // that is being shown
  bool in_array_ = false;           // what is shown is an element
  bool is_text_ = false;            // elements are characters
  bool text_ended_ = false;         // by a NUL
};

const Printer::Show Printer::kShow[abi::btf::kKindEnd] = {
    &Printer::unsupported,
#define PORTOLAN_BTF_KIND(kind, name, traits, meta, resolve, member, bitfield, details, show) &Printer::show,
#include "btf/kinds.def"
#undef PORTOLAN_BTF_KIND
};

void Printer::begin(const Item& item) {
  current_ = &item.type;
  current_id_ = item.id;
}

void Printer::end() {
  current_ = nullptr;
  current_id_ = 0;
}

void Printer::begin_aggregate(const Item& item) {
  begin(item);
  write(indent());
  write(type_name());
  write(newline());
  ++depth_;
}

void Printer::end_aggregate(const char* bracket) {
  --depth_;
  write(indent());
  write(bracket);
  write(delimiter());
  write(newline());
  end();
}

void Printer::twice(const Item& item, Show once) {
  const Member* member = member_;
  if (depth_ > 0 && !has(show_flag::kZero)) {
    if (silent_at_ == 0) {
      silent_at_ = depth_ + 1;
      deepest_ = 0;
    }
    (this->*once)(item);
    member_ = member;
    if (silent_at_ != depth_ + 1) return;
    silent_at_ = 0;
    if (deepest_ <= depth_) return;
  }
  (this->*once)(item);
}

void Printer::aggregate_once(const Item& item) {
  begin_aggregate(item);
  for (const Member& member : btf_.members(item.type)) {
    member_ = &member;
    const Type& type = *btf_.type(member.type);
    const std::uint32_t bit_offset = member_bit_offset(item.type, member);
    const Item part{type, member.type, item.offset + bit_offset / 8, bit_offset % 8};
    if (const std::uint32_t width = member_bitfield_size(item.type, member)) {
      begin(part);
      bits(part.offset, part.bit_offset, width);
      end();
    } else {
      show(part);
    }
    member_ = nullptr;
  }
  end_aggregate("}");
}

// As in the kernel, elements that have no size of their own (pointers, arrays) are all read at the beginning.
void Printer::array_once(const Item& item) {
  const abi::btf::Array& array = btf_.array(item.type);
  const Type& element = *btf_.type(btf_.resolve(array.type));
  const std::uint32_t size = (traits(element) & kSized) != 0 ? element.size : 0;
  is_text_ = is(element, Kind::kInt) &&
             (size == 1 || abi::btf::int_encoding(btf_.int_word(element)) == abi::btf::kIntChar);
  text_ended_ = false;
  begin_aggregate(item);
  std::uint64_t offset = item.offset;
  for (std::uint32_t i = 0; i < array.nelems && !exhausted_; ++i, offset += size) {
    in_array_ = true;
    member_ = nullptr;
    show({element, array.type, offset, item.bit_offset});
    in_array_ = false;
    if (text_ended_) break;
  }
  is_text_ = text_ended_ = false;
  end_aggregate("]");
}

void Printer::resolved(const Item& item) {
  const std::uint32_t id = btf_.resolved_id(item.id);
  const Type& type = *btf_.type(id);
  if (btf_.is_void(type)) return;
  show({type, id, item.offset, item.bit_offset});
}

void Printer::section(const Item& item) {
  begin(item);
  put(false, fmt::format("section (\"{}\") = {{", btf_.name(item.type)));
  bool is_first = true;
  for (const abi::btf::VarSecinfo& entry : btf_.variables(item.type)) {
    if (!is_first) write(",");
    is_first = false;
    show({*btf_.type(entry.type), entry.type, item.offset + entry.offset, item.bit_offset});
  }
  end();
}

void Printer::pointer(const Item& item) {
  begin(item);
  const auto address = load<std::uint64_t>(item.offset);
  put(address == 0, fmt::format("0x{:016x}", address));
  end();
}

void Printer::enumerator(const Item& item) {
  begin(item);
  // Whatever the size of the enum is.
  const auto value = load<std::int32_t>(item.offset);
  const auto enums = btf_.enums(item.type);
  const auto found = std::ranges::find(enums, value, &abi::btf::Enum::val);
  if (found != enums.end())
    put(false, btf_.name(found->name_off));
  else if (abi::btf::kind_flag(item.type))
    put(value == 0, fmt::format("{}", value));
  else
    put(value == 0, fmt::format("{}", static_cast<std::uint32_t>(value)));
  end();
}

void Printer::enumerator64(const Item& item) {
  begin(item);
  const auto value = load<std::uint64_t>(item.offset);
  const auto enums = btf_.enums64(item.type);
  const auto found = std::ranges::find_if(enums, [value](const abi::btf::Enum64& each) {
    return (std::uint64_t{each.val_hi32} << 32 | each.val_lo32) == value;
  });
  if (found != enums.end())
    put(false, btf_.name(found->name_off));
  else if (abi::btf::kind_flag(item.type))
    put(value == 0, fmt::format("{}", static_cast<std::int64_t>(value)));
  else
    put(value == 0, fmt::format("{}", value));
  end();
}

// In hexadecimal: bits of no usual width, and 128 of them.
void Printer::bits(std::uint64_t offset, std::uint32_t bit_offset, std::uint32_t count) {
  __extension__ using Wide = unsigned __int128;
  Wide number = load<Wide>(offset) >> bit_offset;
  if (count < 128) number &= (Wide{1} << count) - 1;
  const auto high = static_cast<std::uint64_t>(number >> 64);
  const auto low = static_cast<std::uint64_t>(number);
  if (high == 0)
    put(low == 0, fmt::format("0x{:x}", low));
  else
    put(false, fmt::format("0x{:x}{:016x}", high, low));
}

void Printer::integer(const Item& item) {
  begin(item);
  const std::uint32_t word = btf_.int_word(item.type);
  const std::uint32_t width = abi::btf::int_bits(word);
  const std::uint32_t first = item.bit_offset + abi::btf::int_offset(word);
  const bool is_usual = first == 0 && (width == 8 || width == 16 || width == 32 || width == 64);
  if (!is_usual) {
    bits(item.offset + first / 8, first % 8, width);
    end();
    return;
  }
  const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  const std::uint64_t value = load<std::uint64_t>(item.offset) & mask;
  const auto character = static_cast<char>(value);
  if (width == 8 && is_text_ && (text_ended_ || character == '\0')) {
    text_ended_ = true;
  } else if (width == 8 && is_text_ && is_printable(character)) {
    const char quoted[] = {'\'', character, '\''};
    put(false, {quoted, sizeof quoted});
  } else if ((abi::btf::int_encoding(word) & abi::btf::kIntSigned) != 0) {
    const std::uint32_t unused = 64 - width;
    put(value == 0, fmt::format("{}", static_cast<std::int64_t>(value << unused) >> unused));
  } else {
    put(value == 0, fmt::format("{}", value));
  }
  end();
}

}  // namespace

Result<void> print_value(const Btf& btf, std::uint32_t type_id, ConstBytes value, std::uint64_t flags,
                         std::string& out) {
  return Printer(btf, value, flags, out).run(type_id);
}

}  // namespace portolan::btf
