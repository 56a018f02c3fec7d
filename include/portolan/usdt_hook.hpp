// SPDX-License-Identifier: Apache-2.0
// Statically defined probes of user programs (USDT): places that tools find by the notes that a program has
// of them.
//
//   auto hook = portolan::Hook::usdt(runtime, "server", "request");
//   …
//   PORTOLAN_USDT(*hook, server, request, id, bytes);   // such a place; there may be several of a name
//
// Clients attach to "server:request" in this program's file (libbpf: SEC("usdt/FILE:server:request")), and
// may do so on a kernel, too: the place is a nop. Up to 12 arguments, numbers or pointers, are read as
// numbers of 64 bits. To pass a place takes its arguments' way to the stack, the nop, and two loads and a
// branch for each place of the name.
#pragma once
#include <string_view>
#include <vector>

#include "portolan/probe_hook.hpp"

namespace portolan {

namespace detail {

// A place of this program or library: PORTOLAN_USDT writes it to a section that the linker gathers.
struct UsdtPlace {
  const void* address;
  const char *provider, *name;
};

// The arguments of one, and what its note says of them: how many, and which are negative at times.
template <class... Args>
struct UsdtWords {
  static_assert(sizeof...(Args) <= 12, "a place has at most 12 arguments");
  static constexpr int kCount = sizeof...(Args);
  static constexpr int kSigned = [] {
    int bits = 0;
    [[maybe_unused]] int bit = 1;
    ((bits |= std::is_signed_v<Args> ? bit : 0, bit <<= 1), ...);
    return bits;
  }();
  explicit UsdtWords(Args... args) : words{argument(args)...} {}
  std::uint64_t words[kCount + 1];
};

}  // namespace detail

// The places of one name.
class UsdtHook {
 public:
  bool is_attached() const {
    for (const Place& one : places_)
      if (one.hook.is_attached()) return true;
    return false;
  }
  // That place is passed, with its arguments: PORTOLAN_USDT's to say.
  void pass(const void* address, const std::uint64_t* words) const {
    for (const Place& one : places_)
      if (one.hook.is_attached() && one.address == address) [[unlikely]]
        one.hook.enter({.di = detail::argument(words)});
  }

 private:
  friend class Hook;
  struct Place {
    const void* address;
    ProbeHook hook;
  };
  std::vector<Place> places_;
};

}  // namespace portolan

extern "C" {
// The section's ends, of this program or library; there are none where nothing is in it.
[[gnu::weak, gnu::visibility("hidden")]] extern const portolan::detail::UsdtPlace __start_portolan_usdt[];
[[gnu::weak, gnu::visibility("hidden")]] extern const portolan::detail::UsdtPlace __stop_portolan_usdt[];
}

namespace portolan {

inline Expected<UsdtHook> Hook::usdt(const Runtime& runtime, std::string_view provider,
                                     std::string_view name) {
  return usdt(runtime, provider, name, std::span(__start_portolan_usdt, __stop_portolan_usdt));
}

}  // namespace portolan

// The note says where each argument is found in the registers that programs see: behind what rdi points to.
#define PORTOLAN_USDT(hook, provider, name, ...)                                        \
  do {                                                                                  \
    const auto portolan_usdt_words = ::portolan::detail::UsdtWords(__VA_ARGS__);        \
    const void* portolan_usdt_address;                                                  \
    __asm__ volatile(                                                                   \
        "990: nop\n"                                                                    \
        "lea 990b(%%rip), %[address]\n"                                                 \
        ".pushsection .note.stapsdt, \"?\", \"note\"\n"                                 \
        ".balign 4\n"                                                                   \
        ".4byte 992f - 991f, 994f - 993f, 3\n"                                          \
        "991: .asciz \"stapsdt\"\n"                                                     \
        "992: .balign 4\n"                                                              \
        "993: .8byte 990b, _.stapsdt.base, 0\n"                                         \
        ".asciz \"" #provider                                                           \
        "\"\n"                                                                          \
        ".asciz \"" #name                                                               \
        "\"\n"                                                                          \
        ".irp at, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88\n"                       \
        ".if \\at < 8 * %c[count]\n"                                                    \
        ".if \\at\n"                                                                    \
        ".ascii \" \"\n"                                                                \
        ".endif\n"                                                                      \
        ".if (%c[is_signed] >> (\\at / 8)) & 1\n"                                       \
        ".ascii \"-\"\n"                                                                \
        ".endif\n"                                                                      \
        ".ascii \"8@\\at\\()(%%rdi)\"\n"                                                \
        ".endif\n"                                                                      \
        ".endr\n"                                                                       \
        ".byte 0\n"                                                                     \
        "994: .balign 4\n"                                                              \
        ".popsection\n"                                                                 \
        ".ifndef _.stapsdt.base\n"                                                      \
        ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"     \
        ".weak _.stapsdt.base\n"                                                        \
        ".hidden _.stapsdt.base\n"                                                      \
        "_.stapsdt.base: .byte 0\n"                                                     \
        ".size _.stapsdt.base, 1\n"                                                     \
        ".popsection\n"                                                                 \
        ".endif\n"                                                                      \
        ".pushsection portolan_usdt, \"aw?\", \"progbits\"\n"                           \
        ".balign 8\n"                                                                   \
        ".8byte 990b, 995f, 996f\n"                                                     \
        ".popsection\n"                                                                 \
        ".pushsection .rodata.portolan_usdt, \"a?\", \"progbits\"\n"                    \
        "995: .asciz \"" #provider                                                      \
        "\"\n"                                                                          \
        "996: .asciz \"" #name                                                          \
        "\"\n"                                                                          \
        ".popsection\n"                                                                 \
        : [address] "=r"(portolan_usdt_address)                                         \
        : "D"(portolan_usdt_words.words),                                               \
          "m"(portolan_usdt_words), [count] "i"(decltype(portolan_usdt_words)::kCount), \
          [is_signed] "i"(decltype(portolan_usdt_words)::kSigned));                     \
    (hook).pass(portolan_usdt_address, portolan_usdt_words.words);                      \
  } while (false)
