// SPDX-License-Identifier: Apache-2.0
// Links of programs to many functions that hosts have declared probes of, by name or by address.
#include <algorithm>
#include <unordered_map>

#include "abi/prog_flags.h"
#include "hook/probed_functions.h"
#include "syscall/new_link.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using hook::ProbedFunction;
using Attr = abi::link_create::KprobeMulti;
using Functions = std::vector<const ProbedFunction*>;
using Cookies = std::vector<std::uint64_t>;

constexpr std::uint32_t kMostFunctions = 1u << 20;  // MAX_KPROBE_MULTI_CNT
constexpr std::size_t kNameBytes = 512;             // KSYM_NAME_LEN

Result<std::vector<std::uint64_t>> words_in(const Call& call, std::uint64_t address, std::uint32_t count) {
  std::vector<std::uint64_t> words(count);
  TRY(call.caller.copy_in(words.data(), address, count * sizeof(std::uint64_t)));
  return words;
}

// ftrace_lookup_symbols, which finds each but once: ESRCH. Sorts the cookies as it does the names. E2BIG,
// EFAULT.
Result<Functions> by_name(const Call& call, const Attr& asked, std::span<const ProbedFunction> known,
                          Cookies& cookies) {
  std::vector<std::pair<std::string, std::uint64_t>> names;
  for (std::uint32_t i = 0; i < asked.cnt; ++i) {
    std::uint64_t address = 0;
    TRY(call.caller.copy_in(&address, asked.syms + i * sizeof address, sizeof address));
    char name[kNameBytes];
    const std::size_t length = TRY(call.caller.copy_in_string(name, address, sizeof name));
    if (length == sizeof name) return fail(E2BIG);
    names.emplace_back(name, cookies.empty() ? 0 : cookies[i]);
  }
  std::ranges::sort(names);
  Functions found;
  for (std::uint32_t i = 0; i < asked.cnt; ++i) {
    const auto at = std::ranges::lower_bound(known, names[i].first, {}, &ProbedFunction::name);
    if (at == known.end() || at->name != names[i].first) return fail(ESRCH);
    if (i != 0 && names[i].first == names[i - 1].first) return fail(ESRCH);
    found.push_back(&*at);
    if (!cookies.empty()) cookies[i] = names[i].second;
  }
  return found;
}

// EINVAL: no function is there. EFAULT.
Result<Functions> by_address(const Call& call, const Attr& asked, std::span<const ProbedFunction> known) {
  std::unordered_map<std::uint64_t, const ProbedFunction*> at;
  for (const ProbedFunction& one : known) at[one.address] = &one;
  Functions found;
  for (const std::uint64_t address : TRY(words_in(call, asked.addrs, asked.cnt))) {
    const auto there = at.find(address);
    if (there == at.end()) return fail(EINVAL);
    found.push_back(there->second);
  }
  return found;
}

// With cookies, in the order of the addresses: so the kernel finds its way from the one to the other.
std::vector<hook::Link::Place> places_of(const Functions& functions, const Cookies& cookies, bool begins,
                                         bool ends) {
  std::vector<hook::Link::Place> places;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const ProbedFunction& one = *functions[i];
    places.push_back({.address = one.address,
                      .cookie = cookies.empty() ? 0 : cookies[i],
                      .hooks = {begins ? one.begins : 0, ends ? one.ends : 0}});
  }
  if (!cookies.empty()) std::ranges::stable_sort(places, {}, &hook::Link::Place::address);
  return places;
}

Result<void> check(const Call& call, const verifier::Program& program, const Attr& asked) {
  const auto expected = static_cast<A>(program.attributes().expected_attach_type);
  if (call.attr.link_create.flags != 0) return fail(EINVAL);
  if (expected != A::kTraceKprobeMulti && expected != A::kTraceKprobeSession) return fail(EINVAL);
  if ((program.attributes().flags & abi::prog_flag::kSleepable) != 0) return fail(EINVAL);
  if ((asked.flags & ~abi::link_flag::kKprobeMultiReturn) != 0) return fail(EINVAL);
  if ((asked.addrs != 0) == (asked.syms != 0) || asked.cnt == 0) return fail(EINVAL);
  if (asked.cnt > kMostFunctions) return fail(E2BIG);
  return {};
}

}  // namespace

Result<long> link_kprobe_multi(const Call& call, verifier::Program& program) {
  const Attr& asked = call.attr.link_create.kprobe_multi;
  TRY(check(call, program, asked));
  Cookies cookies;
  if (asked.cookies != 0) cookies = TRY(words_in(call, asked.cookies, asked.cnt));
  const std::vector<ProbedFunction> known = hook::probed_functions(call.runtime);
  const Functions functions =
      TRY(asked.addrs != 0 ? by_address(call, asked, known) : by_name(call, asked, known, cookies));
  const bool is_return = (asked.flags & abi::link_flag::kKprobeMultiReturn) != 0;
  const bool is_session = hook::is_session(program);
  hook::Link::Attributes attributes;
  attributes.type = abi::LinkType::kKprobeMulti;
  attributes.attach_type = call.attr.link_create.attach_type;
  attributes.flags = asked.flags;
  return create_link_to_places(call, program, attributes,
                               places_of(functions, cookies, !is_return, is_return || is_session));
}

}  // namespace portolan::syscall
