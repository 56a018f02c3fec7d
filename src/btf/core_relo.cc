// SPDX-License-Identifier: Apache-2.0
// Candidates are the kernel's types of the same kind and name, whatever flavor. Each that fits is good, and
// if several do they must lead to the same value: types that were compiled in more than once differ in
// nothing that matters here, mostly.
#include "btf/core_relo.h"

#include <optional>

#include "btf/core_match.h"
#include "btf/core_value.h"

namespace portolan::btf {
namespace {

const char* kind_name(const Type& type) { return kKinds[abi::btf::info_kind(type.info)].name; }

const char* outcome(const CoreResult& result) { return result.poison ? "failure" : "success"; }

}  // namespace

// EINVAL: it has no name to look for.
Result<const CoreRelocator::Candidates*> CoreRelocator::candidates(std::uint32_t type_id) {
  const Type& local = *local_.type(type_id);
  const std::string_view name = essential_name(local_.name(local));
  if (name.empty()) {
    say(log_, "target candidate search failed for {}\n", type_id);
    return fail(EINVAL);
  }
  const auto [entry, is_new] = candidates_.try_emplace(type_id);
  Candidates& ids = entry->second;
  for (std::uint32_t id = 1; is_new && id < kernel_.type_count(); ++id) {
    const Type& type = *kernel_.type(id);
    if (abi::btf::kind(type) != abi::btf::kind(local)) continue;
    const std::string_view found = kernel_.name(type);
    if (found.starts_with(name) && essential_name(found) == name) ids.push_back(id);
  }
  for (const std::uint32_t id : ids)
    say(log_, "CO-RE relocating {} {}: found target candidate [{}]\n", kind_name(local), name, id);
  return &ids;
}

Result<CoreSpec> CoreRelocator::parse(const abi::CoreRelo& relo, std::uint32_t index) {
  auto spec = parse_core_spec(local_, relo, log_);
  if (spec) {
    say(log_, "prog '': relo #{}: {}\n", index, to_text(*spec));
    return spec;
  }
  const Type& type = *local_.type(relo.type_id);
  const char* const name = local_.name(type);
  say(log_, "prog '': relo #{}: parsing [{}] {} {} + {} failed: {}\n", index, relo.type_id, kind_name(type),
      *name == '\0' ? "<anon>" : name,
      local_.has_string(relo.access_str_off) ? local_.name(relo.access_str_off) : "<?>", -spec.error().value);
  return fail(EINVAL);
}

Result<bool> CoreRelocator::find(CoreMatch& match, const CoreSpec& spec, std::uint32_t candidate,
                                 std::size_t number, std::uint32_t index, CoreSpec& found) {
  const Result<bool> fits = match.find(spec, candidate, found);
  if (!fits)
    say(log_, "prog '': relo #{}: error matching candidate #{} {}: {}\n", index, number, to_text(found),
        -fits.error().value);
  else
    say(log_, "prog '': relo #{}: {} candidate #{} {}\n", index, *fits ? "matching" : "non-matching", number,
        to_text(found));
  return fits;
}

Result<CoreResult> CoreRelocator::resolve(const abi::CoreRelo& relo, std::uint32_t index) {
  if (local_.type(relo.type_id) == nullptr) {
    say(log_, "relo #{}: bad type id {}\n", index, relo.type_id);
    return fail(EINVAL);
  }
  const bool is_local = relo.kind == static_cast<std::uint32_t>(abi::CoreReloKind::kTypeIdLocal);
  const Candidates* const ids = is_local ? nullptr : TRY(candidates(relo.type_id));
  const CoreSpec spec = TRY(parse(relo, index));
  if (is_local) {
    CoreResult result;
    result.expected = result.value = relo.type_id;
    result.is_certain = false;
    return result;
  }
  CoreMatch match(local_, kernel_);
  std::optional<CoreResult> first;
  std::uint32_t first_offset = 0;
  for (std::size_t i = 0; i < ids->size(); ++i) {
    CoreSpec found;
    if (!TRY(find(match, spec, (*ids)[i], i, index, found))) continue;
    const CoreResult result = TRY(core_values(relo, spec, &found, log_));
    if (!first) {
      first = result;
      first_offset = found.bit_offset;
    } else if (found.bit_offset != first_offset) {
      say(log_, "prog '': relo #{}: field offset ambiguity: {} != {}\n", index, found.bit_offset,
          first_offset);
      return fail(EINVAL);
    } else if (result.poison != first->poison || result.value != first->value) {
      say(log_, "prog '': relo #{}: relocation decision ambiguity: {} {} != {} {}\n", index, outcome(result),
          result.value, outcome(*first), first->value);
      return fail(EINVAL);
    }
  }
  if (first) return *first;
  say(log_, "prog '': relo #{}: no matching targets found\n", index);
  return core_values(relo, spec, nullptr, log_);
}

}  // namespace portolan::btf
