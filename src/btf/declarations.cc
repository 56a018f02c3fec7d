// SPDX-License-Identifier: Apache-2.0
#include "btf/declarations.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/assert.h"
#include "btf/c_tokens.h"
#include "btf/writer.h"

namespace portolan::btf {
namespace {

using Name = std::pair<Kind, std::string_view>;

struct Declaration {
  Name name;
  std::size_t begin;  // token
};

// A name, and the type that the declaration gives it.
struct Declared {
  std::string_view name;
  std::uint32_t type = 0;
  std::optional<std::uint32_t> bits;  // of a bit-field
};

// Of those types only that the text can name: a kernel has a hundred thousand others.
std::map<Name, std::uint32_t> names_of(const Btf& base, const CTokens& tokens) {
  std::unordered_set<std::string_view> words;
  for (std::size_t at = 0; at < tokens.size(); ++at) words.insert(tokens[at]);
  std::map<Name, std::uint32_t> names;
  for (std::uint32_t id = 1; id < base.type_count(); ++id) {
    const Type& type = *base.type(id);
    const auto kind = static_cast<Kind>(abi::btf::info_kind(type.info));
    const std::string_view name = base.name(type);
    if (kind == Kind::kInt || words.contains(name))
      names.try_emplace({kind == Kind::kEnum64 ? Kind::kEnum : kind, name}, id);
  }
  return names;
}

class Declarations {
 public:
  Declarations(std::string_view text, const Btf* base) : tokens_(text), base_(base), writer_(base) {
    if (base != nullptr) ids_ = names_of(*base, tokens_);
    find_declarations();
  }

  std::vector<std::byte> write() {
    for (const Declaration& one : declarations_) {
      if (!ids_.contains(one.name)) declare(one);
      while (!put_off_.empty()) complete(put_off_.begin()->first);
    }
    return writer_.bytes();
  }

 private:
  // Where each begins, by name: one may be needed before its place.
  void find_declarations() {
    for (std::size_t at = 0; at < tokens_.size();) {
      declarations_.push_back({name_of_declaration(at), at});
      for (int depth = 0; depth != 0 || tokens_[at] != ";"; ++at)
        depth += tokens_[at] == "{" ? 1 : tokens_[at] == "}" ? -1 : 0;
      ++at;
    }
    for (const Declaration& one : declarations_) places_.emplace(one.name, &one);
  }

  Name name_of_declaration(std::size_t at) const {
    if (tokens_[at] == "typedef") {
      while (tokens_[at] != ";") ++at;
      return {Kind::kTypedef, tokens_[at - 1]};
    }
    if (const auto kind = tagged(tokens_[at]); kind && tokens_[at + 2] == "{")
      return {*kind, tokens_[at + 1]};
    while (tokens_[at] != "(") ++at;
    return {Kind::kFunc, tokens_[at - 1]};
  }

  static std::optional<Kind> tagged(std::string_view word) {
    if (word == "struct") return Kind::kStruct;
    if (word == "union") return Kind::kUnion;
    if (word == "enum") return Kind::kEnum;
    return {};
  }

  // --- reading on from at_
  bool next_is(std::string_view token) const { return tokens_[at_] == token; }
  bool take(std::string_view token) {
    if (!next_is(token)) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view token) { PORTOLAN_ASSERT(take(token)); }
  std::int64_t number() {
    const bool is_negative = take("-");
    const std::string_view word = tokens_[at_++];
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    PORTOLAN_ASSERT(error == std::errc{} && end == word.data() + word.size());
    return is_negative ? -value : value;
  }

  // --- declarations
  std::uint32_t declare(const Declaration& one) {
    const std::size_t back = std::exchange(at_, one.begin);
    const std::uint32_t id = one.name.first == Kind::kTypedef ? type_definition()
                             : one.name.first == Kind::kFunc  ? function()
                                                              : specifier();
    at_ = back;
    return id;
  }

  std::uint32_t type_definition() {
    expect("typedef");
    const Declared defined = declarator(specifier());
    return ids_[{Kind::kTypedef, defined.name}] = writer_.add(Kind::kTypedef, defined.name, defined.type);
  }

  std::uint32_t function() {
    const bool is_kfunc = take("__bpf_kfunc");
    std::uint32_t result = specifier();
    while (take("*")) result = writer_.pointer_to(result);
    const std::string_view name = tokens_[at_++];
    const std::uint32_t id = writer_.add(Kind::kFunc, name, prototype(result));
    if (is_kfunc) writer_.add(Kind::kDeclTag, "bpf_kfunc", id, 0, {UINT32_MAX});
    return ids_[{Kind::kFunc, name}] = id;
  }

  std::uint32_t prototype(std::uint32_t result) {
    Writer::Words words;
    expect("(");
    while (!take(")")) {
      const Declared parameter = declarator(specifier());
      if (parameter.type != 0) words.insert(words.end(), {writer_.string(parameter.name), parameter.type});
      take(",");
    }
    return writer_.add(Kind::kFuncProto, "", result, static_cast<std::uint32_t>(words.size() / 2), words);
  }

  // What stands before the names that are declared.
  std::uint32_t specifier() {
    const bool is_const = take("const");
    const std::uint32_t type = bare_specifier();
    return is_const ? writer_.const_of(type) : type;
  }

  std::uint32_t bare_specifier() {
    if (const auto kind = tagged(tokens_[at_])) {
      ++at_;
      const std::string_view name = next_is("{") ? std::string_view() : tokens_[at_++];
      if (!next_is("{")) return named({*kind, name});
      return *kind == Kind::kEnum ? enumeration(name) : aggregate(*kind, name);
    }
    if (take("void")) return 0;
    if (const auto integer = take_integer(tokens_, at_)) return integer_type(*integer);
    return named({Kind::kTypedef, tokens_[at_++]});
  }

  std::uint32_t named(Name name) {
    if (const auto known = ids_.find(name); known != ids_.end()) return known->second;
    const bool has_members = name.first == Kind::kStruct || name.first == Kind::kUnion;
    if (const auto place = places_.find(name); place != places_.end()) {
      if (!has_members) return declare(*place->second);
      const std::uint32_t id = ids_[name] = writer_.reserve();
      put_off_[id] = place->second;
      return id;
    }
    PORTOLAN_ASSERT(has_members);
    const auto [forward, is_new] = ids_.try_emplace({Kind::kFwd, name.second}, 0);
    if (is_new) forward->second = writer_.add(Kind::kFwd, name.second, 0, 0, {}, name.first == Kind::kUnion);
    return forward->second;
  }

  std::uint32_t integer_type(const Integer& integer) {
    const auto [known, is_new] = ids_.try_emplace({Kind::kInt, integer.name}, 0);
    if (is_new)
      known->second =
          writer_.add(Kind::kInt, integer.name, integer.size, 0, {integer.encoding << 24 | integer.size * 8});
    return known->second;
  }

  std::uint32_t enumeration(std::string_view name) {
    Writer::Words words;
    std::int64_t value = 0;
    bool is_signed = false;
    expect("{");
    while (!take("}")) {
      const std::string_view enumerator = tokens_[at_++];
      if (take("=")) value = number();
      is_signed = is_signed || value < 0;
      words.insert(words.end(), {writer_.string(enumerator), static_cast<std::uint32_t>(value++)});
      take(",");
    }
    const std::uint32_t id =
        writer_.add(Kind::kEnum, name, 4, static_cast<std::uint32_t>(words.size() / 2), words, is_signed);
    if (!name.empty()) ids_[{Kind::kEnum, name}] = id;
    return id;
  }

  // The name that a specifier is declared for, if there is one.
  Declared declarator(std::uint32_t type) {
    while (take("*")) {
      type = writer_.pointer_to(type);
      if (take("const")) type = writer_.const_of(type);
    }
    if (take("(")) {  // a pointer to a function
      expect("*");
      const std::string_view name = tokens_[at_++];
      expect(")");
      return {name, writer_.pointer_to(prototype(type)), {}};
    }
    Declared declared{{}, type, {}};
    if (is_word(tokens_[at_])) declared.name = tokens_[at_++];
    std::vector<std::uint32_t> counts;
    while (take("[")) {
      counts.push_back(static_cast<std::uint32_t>(number()));
      expect("]");
    }
    for (; !counts.empty(); counts.pop_back())
      declared.type = writer_.array_of(declared.type, integer_type(kUnsignedInt), counts.back());
    if (take(":")) declared.bits = static_cast<std::uint32_t>(number());
    return declared;
  }

  // --- structs and unions, laid out as the compiler does
  struct Layout {
    std::uint32_t size = 0;  // bytes
    std::uint32_t align = 1;
  };

  std::uint32_t aggregate(Kind kind, std::string_view name) {
    const auto known = ids_.find({kind, name});
    const std::uint32_t id = known == ids_.end() || name.empty() ? writer_.reserve() : known->second;
    if (!name.empty()) ids_[{kind, name}] = id;
    std::vector<Declared> members;
    expect("{");
    while (!take("}")) {
      const std::uint32_t type = specifier();
      do members.push_back(declarator(type));
      while (take(","));
      expect(";");
    }
    const bool has_bits =
        std::ranges::any_of(members, [](const Declared& one) { return one.bits.has_value(); });
    Writer::Words words;
    Layout whole;
    std::uint32_t end = 0;  // bits
    for (const Declared& member : members) {
      const Layout layout = layout_of(member.type);
      const std::uint32_t bits = member.bits.value_or(layout.size * 8);
      if (kind == Kind::kUnion) end = 0;
      if (!member.bits || end % (layout.size * 8) + bits > layout.size * 8)
        end = static_cast<std::uint32_t>(round_up(end, layout.align * 8));
      words.insert(words.end(),
                   {writer_.string(member.name), member.type, end | member.bits.value_or(0) << 24});
      end += bits;
      whole.size = std::max(whole.size, (end + 7) / 8);
      whole.align = std::max(whole.align, layout.align);
    }
    whole.size = static_cast<std::uint32_t>(round_up(whole.size, whole.align));
    layouts_[id] = whole;
    writer_.write(id, kind, name, whole.size, static_cast<std::uint32_t>(members.size()), words, has_bits);
    return id;
  }

  // Of a struct that may have been named only: it may refer to one that is just being declared.
  void complete(std::uint32_t id) {
    const auto place = put_off_.find(id);
    if (place == put_off_.end()) return;
    const Declaration& one = *place->second;
    put_off_.erase(place);
    declare(one);
  }

  Layout layout_of(std::uint32_t id) {
    complete(id);
    if (const auto known = layouts_.find(id); known != layouts_.end()) return known->second;
    const Layout layout =
        base_ != nullptr && id < base_->type_count() ? layout_in_base(id) : layout_of_new(id);
    return layouts_[id] = layout;
  }
  Layout layout_of_new(std::uint32_t id) {
    const Writer::Words& words = writer_.record(id);
    const std::uint32_t target = words[2];
    switch (static_cast<Kind>(abi::btf::info_kind(words[1]))) {
      case Kind::kPtr:
        return {8, 8};
      case Kind::kArray: {
        const Layout element = layout_of(words[3]);
        return {element.size * words[5], element.align};
      }
      case Kind::kTypedef:
      case Kind::kConst:
        return layout_of(target);
      default:  // integers and enums
        return {target, target};
    }
  }
  Layout layout_in_base(std::uint32_t id) {
    const std::uint32_t size = base_->size_of(id).value_or(0);
    id = base_->resolve(id);
    const Type& type = *base_->type(id);
    if (is(type, Kind::kArray)) return {size, layout_of(base_->array(type).type).align};
    if (!is_aggregate(type)) return {size, size};
    Layout layout{size, 1};
    for (const abi::btf::Member& member : base_->members(type))
      layout.align = std::max(layout.align, layout_of(member.type).align);
    return layout;
  }

  const CTokens tokens_;
  const Btf* base_;
  Writer writer_;
  std::size_t at_ = 0;
  std::vector<Declaration> declarations_;
  std::map<Name, const Declaration*> places_;
  std::map<Name, std::uint32_t> ids_;  // that there are
  std::map<std::uint32_t, const Declaration*>
      put_off_;  // structs that were named, and wait for their members
  std::map<std::uint32_t, Layout> layouts_;
};

}  // namespace

std::vector<std::byte> types_declared(std::string_view text) { return Declarations(text, nullptr).write(); }
std::vector<std::byte> types_completed(const Btf& base, std::string_view text) {
  return Declarations(text, &base).write();
}

}  // namespace portolan::btf
