// SPDX-License-Identifier: Apache-2.0
// The functions of helpers.def and kfuncs.def, each in the file of its family.
#pragma once
#include <cstdint>

#include "helper/run.h"

namespace portolan::helper::functions {

using U64 = std::uint64_t;

#define HELPER(id, name, returns, programs, flags, major, minor, args, note) \
  U64 name(Run& run, U64 a, U64 b, U64 c, U64 d, U64 e);
#define HELPER_NOT_HERE(id, name, returns, programs, flags, major, minor, args, note)
#include "helper/helpers.def"
#undef HELPER
#undef HELPER_NOT_HERE
#define KFUNC(name, returns, programs, flags, major, minor, args, note) \
  U64 name(Run& run, U64 a, U64 b, U64 c, U64 d, U64 e);
#define KFUNC_NOT_HERE(name, programs, major, minor, note)
#include "helper/kfuncs.def"
#undef KFUNC
#undef KFUNC_NOT_HERE

// An error as helpers return it.
constexpr U64 negative(int error) { return static_cast<U64>(-static_cast<std::int64_t>(error)); }
// As kfuncs do whose result is an int: 32 bits, and zeros above them.
constexpr U64 negative_int(int error) { return static_cast<std::uint32_t>(-error); }

}  // namespace portolan::helper::functions
